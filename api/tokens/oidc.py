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

_SCOPES = {f"trips:{scope}": scope for scope in Scope}
_identifier: TypeAdapter[str] = TypeAdapter(Identifier)


async def verify(oidc: Oidc, keys: Keys, token: str) -> Caller | None:
    """The caller: tenant and scopes from the claims that are set, name from `sub`.

    None if the type, signature, issuer, audience, time or a claim is wrong. Raises KeysAway.
    """
    try:
        head = jwt.get_unverified_header(token)
        if not _is_of_type(head.get("typ"), oidc.types):
            return None
        key_id, algorithm = head.get("kid"), head.get("alg")
        if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
            return None
        for key in await keys.find(key_id, algorithm):
            claims = _claims(oidc, key, token)
            if claims is not None:
                return _caller(oidc, claims)
    except jwt.PyJWTError:
        pass
    return None


def _claims(oidc: Oidc, key: jwt.PyJWK, token: str) -> dict[str, Any] | None:
    """The token's claims. None if another key has signed it. Raises PyJWTError if they are wrong."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            issuer=oidc.issuer,
            audience=oidc.audience,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.InvalidSignatureError:
        return None
    return claims


def _is_of_type(given: object, types: tuple[str, ...]) -> bool:
    """Whether `typ` is one of these media types (RFC 7515), which may leave out `application/`.

    Without one, a token is a `JWT`.
    """
    if given is None:
        given = "JWT"
    if not isinstance(given, str):
        return False
    return given.lower().removeprefix("application/") in {one.lower() for one in types}


def _caller(oidc: Oidc, claims: dict[str, Any]) -> Caller | None:
    words = [word for text in _texts(claims.get(oidc.scope_claim)) for word in text.split()]
    scopes = frozenset(_SCOPES[word] for word in words if word in _SCOPES)
    try:
        tenant = _identifier.validate_python(claims.get(oidc.tenant_claim))
        name = _identifier.validate_python(claims["sub"])
    except ValidationError:
        return None
    members = frozenset(_texts(claims.get(oidc.member_claim)))
    return Caller(tenant, scopes, name, subject=name, members=members) if scopes else None


def _texts(claim: object) -> list[str]:
    """The texts of a claim that is a text or a list of them."""
    listed = claim if isinstance(claim, list) else [claim]
    return [one for one in listed if isinstance(one, str)]
