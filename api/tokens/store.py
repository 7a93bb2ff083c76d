"""The table of tokens, which holds hashes of their secrets. A token is written `TOKENID.SECRET`."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from api.tokens.caller import Caller, Scope
from record.pool import Pool, connected

MAX_LISTED = 1000

_TOKEN = re.compile(r"(?P<token_id>[0-9a-f]{16})\.(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)
_NO_HASH = bytes(hashlib.sha256().digest_size)


class TokenFormatError(ValueError):
    """The text does not have the form of a token."""


@dataclass(frozen=True)
class StoredToken:
    """A token without its secret."""

    token_id: str
    tenant: str
    scope: Scope
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
    """Store a given token. A token that is stored already stays as it is, also if it was revoked.

    Raises TokenFormatError.
    """
    token_id, hashed = _split(token)
    async with connected(pool) as connection:
        await connection.execute(
            """
            insert into tokens (token_id, tenant, scope, name, hash, expires_at)
            values ($1, $2, $3, $4, $5, now() + make_interval(days => $6))
            on conflict (token_id) do nothing
            """,
            token_id,
            caller.tenant,
            caller.scope.value,
            caller.name,
            hashed,
            days,
        )


async def find(pool: Pool, token: str) -> Caller | None:
    """The token's caller. None if the token is unknown, revoked, or expired by the database's clock."""
    try:
        token_id, hashed = _split(token)
    except TokenFormatError:
        return None
    async with connected(pool) as connection:
        row = await connection.fetchrow(
            """
            select tenant, scope, name, hash from tokens
            where token_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())
            """,
            token_id,
        )
    # Compared even if the id is unknown, so that the time taken does not tell.
    matches = hmac.compare_digest(hashed, row["hash"] if row else _NO_HASH)
    if row is None or not matches:
        return None
    return Caller(row["tenant"], Scope(row["scope"]), row["name"])


async def revoke(pool: Pool, token_id: str) -> bool:
    """Refuse the token from now on. False if no token has this id."""
    async with connected(pool) as connection:
        known = await connection.fetchval(
            "update tokens set revoked_at = coalesce(revoked_at, now()) where token_id = $1 returning true",
            token_id,
        )
    return bool(known)


async def list_tokens(pool: Pool, tenant: str | None = None) -> list[StoredToken]:
    """The tokens of one tenant or of all, newest first, at most MAX_LISTED."""
    async with connected(pool) as connection:
        rows = await connection.fetch(
            """
            select token_id, tenant, scope, name, created_at, expires_at, revoked_at from tokens
            where $1::text is null or tenant = $1
            order by created_at desc, token_id limit $2
            """,
            tenant,
            MAX_LISTED,
        )
    return [_stored(row) for row in rows]


def _stored(row: asyncpg.Record) -> StoredToken:
    return StoredToken(**{**row, "scope": Scope(row["scope"])})
