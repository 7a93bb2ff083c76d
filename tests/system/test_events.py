"""The events of a trip, as readers of the running system get them."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing, contextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

import api.events
from api.app import create_app
from config.keys import KEYS, KEYS_FILE
from config.settings import Settings
from record import events as record
from record.pool import Pool
from stack.ports import free_port
from tests.conftest import ROOT, RunningSystem
from tests.patience import PATIENCE_S
from tests.serving import served
from tests.system.conftest import Orders
from tests.system.written import WrittenTrip, written_trip
from trials.traveller import FINAL, Traveller, TripEvent


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(system: RunningSystem) -> AsyncIterator[Pool]:
    """The shared system's record."""
    async with system.way.open() as opened:
        yield opened


@contextmanager
def another_door(
    system: RunningSystem, log: Path, limits: str = "true", **settings: str
) -> Iterator[tuple[str, int]]:
    """A front door of its own beside the shared one: where it answers, and its process id.

    `limits` is a shell's command for limits of its process.
    """
    port = free_port()
    told = {
        "TRIPS_API_PORT": str(port),
        "TEMPORAL_ADDRESS": system.temporal,
        "TRIPS_DATA_DIR": str(system.data_dir),
        KEYS: (system.data_dir / KEYS_FILE).read_text(),
    }
    with log.open("w") as errors:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"{limits} && exec {sys.executable} -m api"],
            cwd=ROOT,
            env={**os.environ, **system.reaching_record(), **told, **settings},
            stderr=errors,
        )
        try:
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.kill()
            process.wait()


def authorization(system: RunningSystem) -> dict[str, str]:
    """The header of a traveller."""
    return {"Authorization": f"Bearer {system.tokens['traveller']}"}


async def answers(http: aiohttp.ClientSession, url: str) -> None:
    """Returns once the front door serves."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with http.get(f"{url}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def read(traveller: Traveller, trip_id: str, after: str | None = None) -> list[TripEvent]:
    """All events of a stream that ends."""
    async with asyncio.timeout(PATIENCE_S):
        return [event async for event in traveller.events(trip_id, after)]


async def open_streams(http: aiohttp.ClientSession, system: RunningSystem) -> float:
    """How many streams the front door says are open."""
    async with http.get(f"{system.api}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    return next(family.samples[0].value for family in families if family.name == "trips_event_streams")


async def until_open(streams: int, http: aiohttp.ClientSession, system: RunningSystem) -> None:
    """Wait until the front door says that so many streams are open. What it says may be a second old."""
    async with asyncio.timeout(PATIENCE_S):
        while await open_streams(http, system) != streams:
            await asyncio.sleep(0.05)


def ids(events: list[TripEvent]) -> list[int]:
    """The ids of events."""
    return [int(event.id) for event in events]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(traveller: Traveller, order: Orders) -> list[TripEvent]:
    """The events of a trip that was followed from its first to its last."""
    await traveller.break_partner("flight", error_rate=1, verbs=["PUT"], count=3)
    trip = await traveller.book(order())
    return await read(traveller, trip["trip_id"])


async def test_a_trip_is_told_from_its_first_state_to_its_last(
    traveller: Traveller, told: list[TripEvent], pool: Pool
) -> None:
    first, last = told[0].trip, told[-1].trip
    assert {step["status"] for step in first["steps"]} == {"pending"}
    assert last == await traveller.trip(first["trip_id"])
    assert [event.trip["status"] in FINAL for event in told] == [False] * (len(told) - 1) + [True]
    kept = await pool.fetch(
        "select version from trip_events where trip_id = $1 order by version", first["trip_id"]
    )
    assert ids(told) == [row["version"] for row in kept]
    assert len(told) > 2


async def test_a_stream_is_resumed_after_any_of_its_events(
    traveller: Traveller, told: list[TripEvent]
) -> None:
    trip_id = told[0].trip["trip_id"]
    assert await read(traveller, trip_id) == told
    for seen, event in enumerate(told, start=1):
        assert await read(traveller, trip_id, event.id) == told[seen:]


async def test_a_stream_is_resumed_while_the_trip_goes_on(traveller: Traveller, pool: Pool) -> None:
    trip = await written_trip(pool)
    async with aclosing(traveller.events(trip.id)) as stream:
        seen = [await anext(stream), await anext(stream)]
    await trip.change(3)
    resumed = asyncio.create_task(read(traveller, trip.id, seen[-1].id))
    await trip.change(100)
    await trip.end()
    assert ids(seen) + ids(await resumed) == list(range(106))


async def test_a_reader_far_behind_gets_everything(traveller: Traveller, pool: Pool) -> None:
    """Also where another's feed has long dropped what this one has not seen."""
    trip = await written_trip(pool)
    async with aclosing(traveller.events(trip.id, "1")) as ahead:
        await trip.change(200)
        while (await anext(ahead)).id != "201":
            pass
        late = traveller.events(trip.id)
        first = await anext(late)
        await trip.end()
        assert ids([first] + [event async for event in late]) == list(range(203))


async def test_nothing_is_lost_with_the_connection_that_listens(traveller: Traveller, pool: Pool) -> None:
    trip = await written_trip(pool)
    readers = [asyncio.create_task(read(traveller, trip.id)) for _ in range(5)]
    ended = 0
    for _ in range(3):
        await trip.change(20)
        ended += await pool.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'changes'"
        )
        await trip.change(20)
    await trip.end()
    assert ended > 0
    for reader in readers:
        assert ids(await reader) == list(range(123))


async def stalled_reader(system: RunningSystem, trip: WrittenTrip) -> socket.socket:
    """Asks for the trip's events and takes none of them."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, ("127.0.0.1", system.ports.api_port))
    head = {"Host": "x"} | authorization(system)
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    await loop.sock_sendall(reader, f"GET /trips/{trip.id}/events HTTP/1.1\r\n{lines}\r\n".encode())
    return reader


async def test_a_reader_who_takes_nothing_harms_nobody(
    traveller: Traveller, pool: Pool, system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    trip = await written_trip(pool)
    await until_open(0, http, system)
    with closing(await stalled_reader(system, trip)):
        other = asyncio.create_task(read(traveller, trip.id))
        await trip.change(500)
        await until_open(2, http, system)
        await trip.end()
        assert ids(await other) == list(range(503))
    await until_open(0, http, system)


async def test_a_stream_more_than_there_may_be_is_refused(
    http: aiohttp.ClientSession, system: RunningSystem, pool: Pool, tmp_path: Path
) -> None:
    trip = await written_trip(pool)
    with another_door(system, tmp_path / "log", TRIPS_STREAMS="4") as (url, _):
        await answers(http, url)
        ask = partial(http.get, f"{url}/trips/{trip.id}/events", headers=authorization(system))
        async with ask() as first, ask() as second:
            assert (first.status, second.status) == (200, 200)
            async with ask() as refused:
                assert refused.status == 503
                assert int(refused.headers["Retry-After"]) > 0
                assert (await refused.json())["code"] == "too_many_streams"
            first.close()
            async with asyncio.timeout(PATIENCE_S):
                while (again := await ask()).status != 200:
                    again.close()
                    await asyncio.sleep(0.05)
            again.close()


async def test_a_front_door_that_stops_ends_its_streams_first(
    http: aiohttp.ClientSession, system: RunningSystem, pool: Pool, traveller: Traveller, tmp_path: Path
) -> None:
    trip = await written_trip(pool)
    log = tmp_path / "log"
    with another_door(system, log) as (url, pid):
        await answers(http, url)
        leaving = Traveller(http, url, {}, system.tokens["traveller"])
        streams = [leaving.events(trip.id) for _ in range(20)]
        for stream in streams:
            assert [(await anext(stream)).id, (await anext(stream)).id] == ["0", "1"]
        os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            # Each ends as a whole answer does, not cut off.
            assert [[event async for event in stream] for stream in streams] == [[]] * len(streams)
    assert "Cancel" not in log.read_text()
    resumed = asyncio.create_task(read(traveller, trip.id, "1"))
    await trip.end()
    assert ids(await resumed) == [2]


@pytest.mark.parametrize("bad", ["-1", "x", "1.5", "+1", "1 2", "", "9" * 19, "1000000"])
async def test_the_id_of_no_event_counts_as_none(traveller: Traveller, pool: Pool, bad: str) -> None:
    """A browser would give up for good if its stream were refused."""
    trip = await written_trip(pool)
    await trip.end()
    assert ids(await read(traveller, trip.id, bad)) == [0, 1, 2]


async def test_the_events_of_an_unknown_trip_are_404(traveller: Traveller, pool: Pool) -> None:
    status, answer = await traveller.call("GET", "/trips/none/events")
    assert (status, answer["code"]) == (404, "unknown_trip")
    trip = await written_trip(pool)
    assert await record.standing(pool, trip.id, "default") == record.Standing(newest=1, has_ended=False)
    assert await record.standing(pool, trip.id, "another-tenant") is None


async def test_an_older_state_and_one_after_the_last_leave_no_event(pool: Pool, traveller: Traveller) -> None:
    trip = await written_trip(pool)
    await trip.write(5)
    await trip.write(3)
    await trip.write(5)
    await trip.end()
    await trip.change(1)
    assert ids(await read(traveller, trip.id)) == [0, 1, 5, 6]


async def test_a_stream_is_not_to_be_stored_or_held_back(
    http: aiohttp.ClientSession, system: RunningSystem, told: list[TripEvent]
) -> None:
    trip_id = told[0].trip["trip_id"]
    for resumed in ({}, {"Last-Event-ID": told[-1].id}):
        headers = authorization(system) | resumed
        async with http.get(f"{system.api}/trips/{trip_id}/events", headers=headers) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Accel-Buffering"] == "no"
            assert answer.content_type == "text/event-stream"


async def test_a_reader_who_waits_long_is_sent_comments(
    system: RunningSystem, pool: Pool, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.events, "KEEP_ALIVE_S", 0.05)
    trip = await written_trip(pool)
    for name, value in system.reaching_record().items():
        monkeypatch.setenv(name, value)
    app = create_app(Settings(), asyncio.Event())
    async with (
        asyncio.timeout(PATIENCE_S),
        served(app) as port,
        http.get(f"http://127.0.0.1:{port}/trips/{trip.id}/events", headers=authorization(system)) as answer,
    ):
        blocks = [(await answer.content.readuntil(b"\n\n")).decode() for _ in range(6)]
    events = [block for block in blocks if block.startswith("event: trip\ndata: {")]
    comments = [block for block in blocks if block.startswith(":") and block.count("\n") == 2]
    assert len(events) == 2, blocks
    assert len(comments) == 4, blocks
