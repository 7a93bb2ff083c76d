"""Every statement that the breaker sends to PostgreSQL. The rules are in functions.sql."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from guard.models import Breaker, BreakerEvent, Override, Standing, Tally
from guard.policy import BreakerPolicy
from record.pool import as_record_away, connected

Executor: TypeAlias = "asyncpg.Pool[Any] | asyncpg.Connection[Any] | PoolConnectionProxy[Any]"

CHANNEL = "breaker_changes"
MAX_TEXT_CHARS = 500

STANDING = """select partner, state, override, version, consecutive_opens, lease_owner, open_until,
    breaker_left(open_until) as open_left_s, breaker_left(lease_until) as lease_left_s from """
# The policy is sent as text, so that any JSON codec of the connection will do.
RECORD = STANDING + "breaker_record($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8)"
ACQUIRE_PROBE = STANDING + "breaker_acquire_probe($1, $2, $3::text::jsonb)"
SETTLE_PROBE = STANDING + "breaker_settle_probe($1, $2, $3, $4, $5::text::jsonb, $6)"
REPORT_HEALTH = STANDING + "breaker_report_health($1, $2, $3, $4::text::jsonb, $5)"
SET_OVERRIDE = STANDING + "breaker_override($1, $2, $3, $4, $5::text::jsonb)"
READ_STANDINGS = STANDING + "breakers where partner = any($1::text[])"
# The server knows who is connected, also after a process has died.
COUNT_FLEET = """
    select count(*) as processes from pg_stat_activity
    where application_name = current_setting('application_name') and datname = current_database()
"""
LIST_BREAKERS = """
    select p.partner, coalesce(b.state, 'closed') as state, b.override, b.override_reason, b.override_who,
           b.open_until, c.calls, c.failures, c.slow, b.last_error, b.updated_at
    from unnest($1::text[]) with ordinality as p (partner, place)
    left join breakers b on b.partner = p.partner
    cross join lateral breaker_counts(p.partner, $2) c
    order by p.place
"""
LIST_EVENTS = """
    select event_id, partner, at, from_state, to_state, cause, who, reason, calls, failures
    from breaker_events
    where partner = $1 and ($2::bigint is null or event_id < $2)
    order by event_id desc limit $3
"""


@dataclass(frozen=True, slots=True)
class Store:
    """The shared breakers, over a connection or a pool. Only the database's clock decides.

    Each method makes one round trip of at most `limit_s` seconds, and raises RecordAway.
    """

    db: Executor
    policy: BreakerPolicy
    limit_s: float = 5.0

    async def record(self, partner: str, tally: Tally) -> Standing:
        """Count `tally`. If the counts cross the threshold, the same statement opens the breaker.

        If the tally's version is not the breaker's, nothing changes.
        """
        counts = (tally.version, tally.calls, tally.failures, tally.slow)
        return await self._change(
            RECORD, partner, *counts, _cut(tally.error), self._policy_json(), random.random()
        )

    async def acquire_probe(self, partner: str, owner: str) -> Standing:
        """Ask for the one probe lease of the fleet. It is granted if the answer's `lease_owner` is `owner`.

        `owner` must be new for each try. No lease is granted while the open time or another lease runs.
        """
        return await self._change(ACQUIRE_PROBE, partner, owner, self._policy_json())

    async def settle_probe(
        self, partner: str, version: int, succeeded: bool | None, error: str | None = None
    ) -> Standing:
        """Record the answer of the probe of `version`. None gives the lease back. Late answers do nothing."""
        return await self._change(
            SETTLE_PROBE, partner, version, succeeded, _cut(error), self._policy_json(), random.random()
        )

    async def report_health(self, partner: str, healthy: bool, error: str | None = None) -> Standing:
        """Record what a health check of `partner` found. `error` says what is wrong."""
        return await self._change(
            REPORT_HEALTH, partner, healthy, _cut(error), self._policy_json(), random.random()
        )

    async def set_override(self, partner: str, override: Override | None, reason: str, who: str) -> Standing:
        """Hold the breaker open or closed by a person's word, or let it decide again (None). It is logged."""
        return await self._change(
            SET_OVERRIDE, partner, override, _cut(who), _cut(reason), self._policy_json()
        )

    async def read_standings(self, partners: Sequence[str]) -> list[Standing]:
        """How the breakers of `partners` stand. A breaker that was never used is left out."""
        rows = await self._rows(READ_STANDINGS, list(partners))
        return [Standing.model_validate(dict(row)) for row in rows]

    async def count_fleet(self) -> int:
        """How many connections have the name of this one: one for each process of its kind."""
        rows = await self._rows(COUNT_FLEET)
        return int(rows[0]["processes"])

    async def list_breakers(self, partners: Sequence[str]) -> list[Breaker]:
        """The breakers of `partners`, in that order. A breaker that was never used is closed and empty."""
        rows = await self._rows(LIST_BREAKERS, list(partners), self.policy.window_s)
        return [Breaker.model_validate(dict(row)) for row in rows]

    async def list_events(self, partner: str, limit: int, before: int | None = None) -> list[BreakerEvent]:
        """At most `limit` changes, newest first. With `before`, only those with a smaller `event_id`."""
        rows = await self._rows(LIST_EVENTS, partner, before, limit)
        return [BreakerEvent.model_validate(dict(row)) for row in rows]

    async def _change(self, statement: str, *args: object) -> Standing:
        rows = await self._rows(statement, *args)
        return Standing.model_validate(dict(rows[0]))

    async def _rows(self, statement: str, *args: object) -> list[asyncpg.Record]:
        if isinstance(self.db, asyncpg.Pool):
            async with connected(self.db) as connection:
                return await connection.fetch(statement, *args, timeout=self.limit_s)
        with as_record_away():
            return await self.db.fetch(statement, *args, timeout=self.limit_s)

    def _policy_json(self) -> str:
        return self.policy.model_dump_json()


def _cut(text: str | None) -> str | None:
    # PostgreSQL's text cannot hold a NUL.
    return None if text is None else text.replace("\0", "")[:MAX_TEXT_CHARS]
