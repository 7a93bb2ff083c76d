"""Callers of a shared breaker for the tests, and a database clock that stands still until it is moved."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from guard.models import Breaker, Tally
from guard.permit import Kind, Permit
from guard.policy import BreakerPolicy, Outcome, State
from guard.store import Store
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
MIGRATION = ROOT / "record" / "migrations" / "20261123000200_breakers.sql"
FUNCTIONS = ROOT / "guard" / "functions.sql"
HAND_CLOCK = """
    create table hand_clock (at timestamptz not null);
    insert into hand_clock values ('2030-01-01T00:00:00Z');
    create or replace function breaker_now() returns timestamptz language sql volatile
    as $$ select at from hand_clock $$;
"""

# Windows of ten seconds have buckets of one, so at whole seconds they are exact.
POLICY = BreakerPolicy(
    window_s=10, min_calls=5, failure_rate=0.5, slow_call_s=4, open_s=60, probe_lease_s=15, max_open_factor=10
)


class System(Protocol):
    """What these tests need of the session's system."""

    database_url: str


def migration(direction: str) -> str:
    """The statements of the migration's `up` or `down` half."""
    up, down = MIGRATION.read_text().split("-- migrate:down")
    return up if direction == "up" else down


def functions() -> str:
    """The breaker's functions as they stand after all migrations."""
    return FUNCTIONS.read_text()


def new_partner() -> str:
    return f"test-{uuid.uuid4().hex}"


def in_schema(database_url: str, schema: str) -> str:
    return f"{database_url}{'&' if '?' in database_url else '?'}search_path={schema}"


async def make_schema(database_url: str, *extra: str) -> str:
    """A fresh schema with the breakers' tables and functions in it, and `extra` statements run there."""
    schema = f"breaker_{uuid.uuid4().hex}"
    await execute(database_url, f"create schema {schema}")
    await execute(in_schema(database_url, schema), migration("up"), functions(), *extra)
    return schema


async def drop_schema(database_url: str, schema: str) -> None:
    await execute(database_url, f"drop schema {schema} cascade")


async def execute(database_url: str, *statements: str) -> None:
    connection = await asyncpg.connect(database_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close(timeout=PATIENCE_S)


@dataclass
class Fleet:
    """Callers of one partner, a connection each, over a clock that only `advance` moves."""

    connections: "Sequence[asyncpg.Connection[Any]]"
    policy: BreakerPolicy = POLICY
    partner: str = field(default_factory=new_partner)
    _tries: int = 0

    def store(self, caller: int = 0) -> Store:
        return Store(self.connections[caller % len(self.connections)], self.policy)

    async def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`, up to the next whole one."""
        await self.connections[0].execute(
            "update hand_clock set at = to_timestamp(ceil(extract(epoch from at)::float8 + $1))",
            float(seconds),
        )

    async def admit(self, caller: int = 0) -> Permit | None:
        """Ask as a worker without a cache does."""
        self._tries += 1
        owner = f"{caller}-{self._tries}"
        standing = await self.store(caller).acquire_probe(self.partner, owner)
        if standing.override == "closed" or (standing.state is State.CLOSED and not standing.override):
            return Permit(self.partner, standing.version)
        if standing.lease_owner == owner:
            return Permit(self.partner, standing.version, Kind.PROBE)
        return None

    async def answer(self, permit: Permit | None, outcome: Outcome, caller: int = 0) -> None:
        assert permit is not None
        error = "boom" if outcome is Outcome.FAILURE else None
        if permit.probe:
            succeeded = None if outcome is Outcome.IGNORED else outcome is Outcome.SUCCESS
            await self.store(caller).settle_probe(self.partner, permit.version, succeeded, error)
        elif outcome is not Outcome.IGNORED:
            tally = Tally(permit.version)
            tally.add(outcome, error)
            await self.store(caller).record(self.partner, tally)

    async def call(self, *outcomes: Outcome) -> None:
        """One call after another, each let in and each answered."""
        for outcome in outcomes:
            await self.answer(await self.admit(), outcome)

    async def breaker(self) -> Breaker:
        return (await self.store().list_breakers([self.partner]))[0]

    async def state(self) -> State:
        return (await self.breaker()).state

    async def counts(self) -> tuple[int, int]:
        breaker = await self.breaker()
        return breaker.calls, breaker.failures

    async def causes(self) -> list[str]:
        """The causes of the changes, oldest first."""
        return [event.cause for event in reversed(await self.store().list_events(self.partner, 100))]

    async def open(self) -> None:
        """Trip it, from closed and empty."""
        await self.call(*[Outcome.FAILURE] * self.policy.min_calls)
        assert await self.state() is State.OPEN

    async def open_left_s(self) -> float:
        return (await self.store().read_standings([self.partner]))[0].open_left_s
