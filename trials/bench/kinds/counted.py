"""What one trip makes others do: messages, events, transactions, and syncs of the disk."""

import asyncio
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import nats
import psutil

from choreography.streams import TRIPS
from trials.bench.contest import failing, server
from trials.bench.contest.contestants import Arena
from trials.bench.contest.measure import Turn
from trials.bench.kinds.plan import KINDS, Plan, both
from trials.load import Load, count
from trials.orders import PARTNERS
from trials.report import Results
from trials.statistics import Figures
from trials.world import World

SYNCING = ("temporal", "nats", "postgres", "mongo", "redis", "falkordb")
"""The parts that sync a disk; whatever else syncs one is not counted."""

LIMIT_S = 10.0

_SYNCS = ("fsync", "fdatasync", "msync", "sync_file_range")
_CALLS = re.compile(rf"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+).*\s(?:{'|'.join(_SYNCS)})$", re.MULTILINE)


async def counts(plan: Plan) -> Results:
    """Of a trip of each kind, one after another: first by the counters of the servers, then by strace."""
    found: dict[str, Figures] = {}
    wrong: list[str] = []
    async with both() as arena:
        for name, kind in KINDS.items():
            turn, load, traced = Turn(arena, kind, 0), Load(), Load()
            before = await _counters(arena)
            await count(turn.booking(), load, plan.counted, 1)
            after = await _counters(arena)
            figures = {key: (after[key] - before[key]) / plan.counted for key in after}
            figures["calls"] = await failing.calls_of(arena.ground.traveller, load.trips, PARTNERS)
            figures |= await _rows(arena.ground.world, load.trips)
            if kind.is_on_temporal:
                figures |= await server.histories(arena.ground, load.trips)
            syncs: Figures = {}
            async with _syncs(arena.ground.world, syncs):
                await count(turn.booking(), traced, plan.counted, 1)
            figures |= {key: value / plan.counted for key, value in syncs.items()}
            found[name] = figures
            wrong += load.wrong + traced.wrong
    return {"kinds": found, "wrong": wrong}


async def _counters(arena: Arena) -> Figures:
    world = arena.ground.world
    broker, on_temporal = await nats.connect(world.nats), await server.counters(arena.ground)
    try:
        stream = (await broker.jetstream().stream_info(TRIPS)).state
        consumers = await broker.jetstream().consumers_info(TRIPS)
    finally:
        await broker.close()
    record = await asyncpg.connect(world.database_url, timeout=LIMIT_S)
    try:
        wal = await record.fetchval("select pg_current_wal_lsn() - '0/0'::pg_lsn")
    finally:
        await record.close(timeout=LIMIT_S)
    return {
        "messages": stream.last_seq,
        "message_bytes": stream.bytes,
        "deliveries": sum(one.delivered.consumer_seq for one in consumers if one.delivered),
        "server_calls": on_temporal.calls,
        "actions": on_temporal.actions,
        "wal_bytes": float(wal),
    }


async def _rows(world: World, trips: Sequence[str]) -> Figures:
    record = await asyncpg.connect(world.database_url, timeout=LIMIT_S)
    try:
        kept = await record.fetchval(
            "select count(*)::float8 / $2 from trip_events where trip_id = any($1)", trips, len(trips)
        )
    finally:
        await record.close(timeout=LIMIT_S)
    return {"trip_events": float(kept)}


@asynccontextmanager
async def _syncs(world: World, figures: Figures) -> AsyncIterator[None]:
    """Fill in how often the parts sync a disk while the context is open; nothing without strace."""
    if shutil.which("strace") is None:
        yield
        return
    with tempfile.TemporaryDirectory() as place:
        tracing = {part: await _traced(world, part, Path(place, part)) for part in SYNCING}
        await asyncio.sleep(1)  # until they are attached
        yield
        for part, process in tracing.items():
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(LIMIT_S):
                await process.wait()
            report = await asyncio.to_thread(Path(place, part).read_text)
            figures[f"syncs_{part}"] = sum(map(int, _CALLS.findall(report)))
    figures["syncs"] = sum(figures[f"syncs_{part}"] for part in SYNCING)


async def _traced(world: World, part: str, report: Path) -> asyncio.subprocess.Process:
    process = psutil.Process(world.pid(part))
    pids = [process.pid, *(child.pid for child in process.children(recursive=True))]
    options = ["-f", "-c", "-o", str(report), "-e", f"trace={','.join(_SYNCS)}"]
    return await asyncio.create_subprocess_exec(
        "strace",
        *options,
        *(word for pid in pids for word in ("-p", str(pid))),
        stderr=asyncio.subprocess.DEVNULL,
    )
