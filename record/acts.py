"""The log of acts: who did or tried what. Rows are added and never changed."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from record.pool import Pool, connected

CURSOR = r"^[0-9]{1,18}$"

Outcome = Literal["done", "refused", "failed"]


class Act(NamedTuple):
    """What somebody did or tried.

    `who` is a name and `subject` a token's id, or the `sub` of a signed token. They and `tenant` are None if
    nobody knows. `target` is what it was done to: a trip, a partner, a token, an address.
    """

    action: str
    outcome: Outcome
    tenant: str | None = None
    who: str | None = None
    subject: str | None = None
    target: str | None = None


_WRITE = """
    insert into acts (action, outcome, tenant, who, subject, target, times)
    values ($1, $2, $3, $4, $5, $6, $7)
    """


async def add(connection: PoolConnectionProxy | asyncpg.Connection, act: Act) -> None:
    """Add an act, within the caller's transaction if it has one."""
    await connection.execute(_WRITE, *act, 1)


async def write(pool: Pool, acts: Sequence[tuple[Act, int]]) -> None:
    """Add acts, each with how often it was done. Raises RecordAway."""
    async with connected(pool) as connection:
        await connection.executemany(_WRITE, [(*act, times) for act, times in acts])


async def newest(pool: Pool, tenant: str | None, before: int | None, limit: int) -> list[dict[str, Any]]:
    """The newest acts, of one tenant or of all; with `before`, only those with a smaller `act_id`."""
    whose = "true" if tenant is None else "tenant = $3"
    arguments = [] if tenant is None else [tenant]
    async with connected(pool) as connection:
        rows = await connection.fetch(
            f"""
            select act_id, at, tenant, who, subject, action, target, outcome, times from acts
            where {whose} and act_id < $1 order by act_id desc limit $2
            """,  # noqa: S608 - constants
            _AFTER_ALL if before is None else before,
            limit,
            *arguments,
        )
    return [dict(row) for row in rows]


_AFTER_ALL = 2**63 - 1
