"""The table of tokens, which holds hashes of their secrets. A token is written `TOKENID.SECRET`."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from api.tokens.caller import Caller, Scope
from record import acts
from record.acts import Act
from record.pool import Pool, connected

MAX_LISTED = 1000
COMMAND = "python -m api.tokens"
"""Who makes and revokes tokens."""

First = Literal["traveller", "operator"]
FIRST_TOKENS: Mapping[First, frozenset[Scope]] = {
    "traveller": frozenset({Scope.TRAVELLER}),
    "operator": frozenset({Scope.OPERATOR, Scope.FLEET}),
}
"""What each token of a `tokens.json` may do, by its name there."""

_TOKEN = re.compile(r"(?P<token_id>[0-9a-f]{16})\.(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)
_NO_HASH = bytes(hashlib.sha256().digest_size)


class TokenFormatError(ValueError):
    """The text does not have the form of a token."""


@dataclass(frozen=True)
class StoredToken:
    """A token without its secret."""

    token_id: str
    tenant: str
    scopes: frozenset[Scope]
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def new_token() -> str:
    """A new random token: an id of 64 bits, a secret of 256."""
    return f"{secrets.token_hex(8)}.{secrets.token_urlsafe(32)}"


def _split(token: str) -> tuple[str, bytes]:
    """A token's id and the hash of its secret. Raises TokenFormatError."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise TokenFormatError
    return found["token_id"], hashlib.sha256(found["secret"].encode()).digest()


async def make(pool: Pool, caller: Caller, days: int | None = None) -> str:
    """Store the hash of a new token and return the token. Without `days` it does not expire."""
    token = new_token()
    await register(pool, token, caller, days)
    return token


async def register(pool: Pool, token: str, caller: Caller, days: int | None = None) -> None:
    """Store a given token. Of one that is stored already, only whether it is of the fleet changes.

    Raises TokenFormatError.
    """
    token_id, hashed = _split(token)
    async with connected(pool) as connection, connection.transaction():
        is_new = await connection.fetchval(
            """
            insert into tokens (token_id, tenant, scope, fleet, name, hash, expires_at)
            values ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7))
            on conflict (token_id) do update set fleet = excluded.fleet where tokens.hash = excluded.hash
            returning xmax = 0
            """,
            token_id,
            caller.tenant,
            (Scope.OPERATOR if Scope.OPERATOR in caller.scopes else Scope.TRAVELLER).value,
            Scope.FLEET in caller.scopes,
            caller.name,
            hashed,
            days,
        )
        if is_new:
            await acts.add(connection, Act("make_token", "done", caller.tenant, COMMAND, target=token_id))


async def find(pool: Pool, token: str) -> Caller | None:
    """The token's caller. None if the token is unknown, revoked, or expired by the database's clock."""
    try:
        token_id, hashed = _split(token)
    except TokenFormatError:
        return None
    async with connected(pool) as connection:
        row = await connection.fetchrow(
            """
            select tenant, scope, fleet, name, hash from tokens
            where token_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())
            """,
            token_id,
        )
    # Compared even if the id is unknown, so that the time taken does not tell.
    matches = hmac.compare_digest(hashed, row["hash"] if row else _NO_HASH)
    if row is None or not matches:
        return None
    return Caller(row["tenant"], _scopes(row), row["name"], subject=token_id)


async def revoke(pool: Pool, token_id: str) -> bool:
    """Refuse the token from now on. False if no token has this id."""
    async with connected(pool) as connection, connection.transaction():
        tenant = await connection.fetchval(
            "select tenant from tokens where token_id = $1 for update", token_id
        )
        revoked = await connection.fetchval(
            "update tokens set revoked_at = now() where token_id = $1 and revoked_at is null returning true",
            token_id,
        )
        if revoked:
            await acts.add(connection, Act("revoke_token", "done", tenant, COMMAND, target=token_id))
    return tenant is not None


async def list_tokens(pool: Pool, tenant: str | None = None) -> list[StoredToken]:
    """The tokens of one tenant or of all, newest first, at most MAX_LISTED."""
    async with connected(pool) as connection:
        rows = await connection.fetch(
            """
            select token_id, tenant, scope, fleet, name, created_at, expires_at, revoked_at from tokens
            where $1::text is null or tenant = $1
            order by created_at desc, token_id limit $2
            """,
            tenant,
            MAX_LISTED,
        )
    return [_stored(row) for row in rows]


def _stored(row: asyncpg.Record) -> StoredToken:
    named = {name: value for name, value in row.items() if name not in ("scope", "fleet")}
    return StoredToken(scopes=_scopes(row), **named)


def _scopes(row: asyncpg.Record) -> frozenset[Scope]:
    return frozenset({Scope(row["scope"])} | ({Scope.FLEET} if row["fleet"] else set()))
