"""A running system in which discrepancies are planted for real, and taken out again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
from falkordb.asyncio.graph import AsyncGraph
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from temporalio.client import Client

from audit.run import Endpoints, audit
from audit.windows import audit_new
from record.pool import open_pool
from serving.upstream import Upstream
from tests.conftest import ROOT, RunningSystem
from tests.patience import PATIENCE_S
from trials.orders import Json, bench_order
from trials.traveller import Traveller
from trip.partner import Partner

Found = set[tuple[str, str]]

LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Ground:
    """One system, with a way past every one of its front doors."""

    system: RunningSystem
    traveller: Traveller
    http: aiohttp.ClientSession
    pool: asyncpg.Pool
    temporal: Client

    def endpoints(self) -> Endpoints:
        """Where the system's parts answer."""
        return Endpoints(
            database_url=self.system.database_url,
            partners={partner: Upstream(self.system.partners[partner.value]) for partner in Partner},
            temporal=self.system.temporal,
        )

    async def found(self, endpoints: Endpoints | None = None) -> Found:
        """The code and subject of each discrepancy that an audit finds."""
        report = await audit(endpoints or self.endpoints(), pause_s=0.1)
        return {(found.code, found.subject) for found in report.discrepancies}

    async def found_new(self) -> Found:
        """The code and subject of each discrepancy that an audit in windows finds."""
        report = await audit_new(self.endpoints(), pause_s=0.1)
        return {(found.code, found.subject) for found in report.discrepancies}

    async def confirmed(self) -> Json:
        """A trip of every part that is confirmed."""
        trip = await self.traveller.book(bench_order(), wait=60)
        assert trip["status"] == "confirmed", trip
        return trip

    async def undone(self) -> Json:
        """A trip whose card was declined, and which is undone."""
        card = {"card_token": "tok_declined", "currency": "JPY"}
        trip = await self.traveller.book(bench_order(payment=card), wait=60)
        assert trip["status"] == "failed", trip
        return trip

    async def call(self, method: str, partner: str, path: str, body: Any = None) -> None:
        """A call to a partner, past the saga."""
        async with self.http.request(method, self.system.partners[partner] + path, json=body) as answer:
            assert answer.status in (200, 201), await answer.text()

    async def sql(self, statement: str, *arguments: object) -> None:
        """Change the trips' record, past the workflow."""
        await self.pool.execute(statement, *arguments)

    async def partner_sql(self, partner: str, statement: str, *arguments: object) -> None:
        """Change a partner's tables, past the partner."""
        connection = await asyncpg.connect(self.system.engines[partner], timeout=PATIENCE_S)
        try:
            await connection.execute(statement, *arguments, timeout=PATIENCE_S)
        finally:
            await connection.close()

    async def restart(self, trip_id: str) -> None:
        """Take the trip over, as the audit's hint says."""
        command = [sys.executable, "-m", "record", "restart", trip_id]
        told = os.environ | {"TRIPS_DATA_DIR": str(self.system.data_dir)}
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=told)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0

    async def night(self, name: str, **changes: int) -> None:
        """Add to a night's counters in the hotel's database."""
        async with AsyncMongoClient[dict[str, Any]](self.system.engines["hotel"]) as client:
            nights = client.get_default_database().nights
            changed = await nights.update_one({"_id": name}, {"$inc": changes})
            assert changed.matched_count == 1

    async def flight_day(self, name: str, counter: str, by: int) -> None:
        """Add to a counter of a flight's day in its Redis."""
        async with Redis.from_url(self.system.engines["flight"]) as redis:
            await redis.hincrby("{flight}:day:" + name, counter, by)

    async def member(self, member_id: str, by: int) -> None:
        """Add to a member's balance in the points' graph."""
        query = f"MATCH (m:Member {{id: '{member_id}'}}) SET m.balance = m.balance + {by}"
        async with Redis.from_url(self.system.engines["points"]) as redis:
            await AsyncGraph(redis, "points").query(query)

    @contextmanager
    def worker_stopped(self) -> Iterator[None]:
        """Nobody carries trips on meanwhile."""
        pid = self.system.pid("worker-1")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def until_started(self, trip_id: str) -> None:
        """Wait until the record knows that the trip's workflow has started."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.pool.fetchval(
                "select started_at is not null from trips where trip_id = $1", trip_id
            ):
                await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def ground_of(system: RunningSystem) -> AsyncIterator[Ground]:
    """Connections to everything of the system."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        open_pool(system.database_url, 2) as pool,
    ):
        traveller = system.traveller(http)
        client = await Client.connect(system.temporal, data_converter=system.converter())
        yield Ground(system, traveller, http, pool, client)
