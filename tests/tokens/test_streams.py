"""Streams of a front door, without a server: how long a token keeps one open."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from api import events
from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import Pool
from tests.patience import PATIENCE_S
from tests.system.written import written_trip
from tests.tokens.in_process import Application, application


@pytest.fixture(scope="module")
async def door(database_url: str) -> AsyncIterator[Application]:
    """The application."""
    async with application(database_url) as opened:
        yield opened


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now()"])
async def test_a_stream_ends_after_its_token(
    door: Application, pool: Pool, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(events, "LOOK_AT_TOKEN_S", 0)
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.1)
    trip = await written_trip(pool)
    ended, kept = [await tokens.make(pool, Caller("default", {Scope.TRAVELLER}, "a test")) for _ in range(2)]
    streams = [door.begin("GET", f"/trips/{trip.id}/events", token) for token in (ended, kept)]
    for stream in streams:
        await stream.until_begun()
        assert stream.status == 200
    await asyncio.sleep(0)
    assert not any(stream.task.done() for stream in streams)
    await pool.execute(f"update tokens set {change} where token_id = $1", ended.partition(".")[0])
    await streams[0].until_ended()
    assert b"event: trip" in streams[0].body
    # The other one goes on.
    await trip.change(1)
    async with asyncio.timeout(PATIENCE_S):
        while b"id: 2" not in streams[1].body:
            await asyncio.sleep(0.01)
    assert not streams[1].task.done()
    streams[1].left.set()
    await streams[1].until_ended()


async def test_a_tenant_with_all_streams_it_can_get_leaves_some_to_others(
    database_url: str, pool: Pool
) -> None:
    trip = await written_trip(pool)
    other = f"tenant-{uuid.uuid4()}"
    token = await tokens.make(pool, Caller("default", {Scope.TRAVELLER}, "a test"))
    others_token = await tokens.make(pool, Caller(other, {Scope.TRAVELLER}, "a test"))
    async with application(database_url, streams=4) as door:
        streams = [door.begin("GET", f"/trips/{trip.id}/events", token) for _ in range(3)]
        for stream in streams:
            await stream.until_begun()
        assert sorted(stream.status or 0 for stream in streams) == [200, 200, 503]
        assert [b"too_many_streams" in stream.body for stream in streams].count(True) == 1
        await pool.execute("update trips set tenant = $2 where trip_id = $1", trip.id, other)
        others = door.begin("GET", f"/trips/{trip.id}/events", others_token)
        await others.until_begun()
        assert others.status == 200
        for stream in (*streams, others):
            stream.left.set()
            await stream.until_ended()
        again = door.begin("GET", f"/trips/{trip.id}/events", others_token)
        await again.until_begun()
        assert again.status == 200
        again.left.set()
        await again.until_ended()
