"""Tokens that an OpenID Connect issuer signed: JSON Web Tokens, checked as RFC 8725 advises."""

from typing import Any

import jwt
from pydantic import TypeAdapter, ValidationError

from api.tokens.caller import Caller, Scope
from api.tokens.keys import ALGORITHMS, Keys
from config.settings import Oidc
from serving.fields import Identifier

LEEWAY_S = 10
"""How far the issuer's clock may be off."""

_SCOPES = {"trips:operator": Scope.OPERATOR, "trips:traveller": Scope.TRAVELLER}
_identifier: TypeAdapter[str] = TypeAdapter(Identifier)


async def verify(oidc: Oidc, keys: Keys, token: str) -> Caller | None:
    """The caller: tenant from the claim `tenant`, scope from `scope`, name from `sub`.

    None if the signature, issuer, audience, time or a claim is wrong. Raises KeysAway.
    """
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        key = await keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            return None
        claims = jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            issuer=oidc.issuer,
            audience=oidc.audience,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.PyJWTError:
        return None
    return _caller(claims)


def _caller(claims: dict[str, Any]) -> Caller | None:
    granted = claims.get("scope")
    words = granted.split() if isinstance(granted, str) else []
    scope = next((scope for word, scope in _SCOPES.items() if word in words), None)
    try:
        tenant = _identifier.validate_python(claims.get("tenant"))
        name = _identifier.validate_python(claims["sub"])
    except ValidationError:
        return None
    return None if scope is None else Caller(tenant, scope, name)
