"""A trip that is under way, replayed from a live namespace and from what Temporal's programs export of it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle

from replay.replaying import has_begun
from stack.system import BIN
from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S
from tests.replay.test_command import make_replay
from trials.orders import order
from trials.polling import until
from trials.traveller import Traveller

Handle = WorkflowHandle[Any, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def under_way(system: RunningSystem, traveller: Traveller) -> AsyncIterator[Handle]:
    """A trip that waits for its flight, and that Temporal lists."""
    client = await Client.connect(system.temporal, data_converter=system.converter())
    await traveller.break_partner("flight", latency_ms=60_000, verbs=["PUT"])
    trip = await traveller.book(order())
    handle = client.get_workflow_handle(trip["trip_id"])

    async def is_listed() -> bool:
        count = await client.count_workflows(running(handle))
        return count.count == 1 and has_begun(await handle.fetch_history())

    try:
        await until(is_listed, within_s=PATIENCE_S)
        yield handle
    finally:
        await traveller.mend_partner("flight")
    status, answer = await traveller.call("POST", f"/trips/{trip['trip_id']}/cancel")
    assert status == 202, answer
    await traveller.until(trip["trip_id"], "cancelled")


def running(handle: Handle) -> str:
    """The list filter that finds the trip while it is under way."""
    return f"WorkflowType = 'BookTrip' and ExecutionStatus = 'Running' and WorkflowId = '{handle.id}'"


async def test_a_trip_under_way_replays(
    system: RunningSystem, http: aiohttp.ClientSession, under_way: Handle, tmp_path: Path
) -> None:
    keys = str(system.data_dir)
    live = await asyncio.to_thread(
        make_replay, running(under_way), TEMPORAL_ADDRESS=system.temporal, TRIPS_DATA_DIR=keys
    )
    assert (live.returncode, live.stderr) == (0, "")
    assert live.stdout == "1 replayed (1 BookTrip); 0 failed\n"

    command = [str(BIN / "temporal"), "workflow", "show", "--address", system.temporal, "--output", "json"]
    command += ["--workflow-id", under_way.id]
    exported = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, timeout=PATIENCE_S, check=True
    )
    (tmp_path / "command_line.json").write_bytes(exported.stdout)
    # The UI writes what it is told here, and no more than this around it.
    path = f"/api/v1/namespaces/default/workflows/{under_way.id}/history"
    async with http.get(system.temporal_ui + path) as answer:
        shown = await answer.json()
    assert not shown.get("nextPageToken")
    (tmp_path / "ui.json").write_text(json.dumps({"events": shown["history"]["events"]}))
    files = await asyncio.to_thread(make_replay, tmp_path, TRIPS_DATA_DIR=keys)
    assert (files.returncode, files.stderr) == (0, "")
    assert files.stdout == "2 replayed (2 BookTrip); 0 failed\n"


async def test_what_cannot_be_replayed_is_no_success(system: RunningSystem) -> None:
    for query, address, said in (
        ("WorkflowType = 'BookCruise'", system.temporal, "nothing was found"),
        ("Colour = 'red'", system.temporal, "RPCError: invalid query"),
        ("WorkflowType = 'BookTrip'", "127.0.0.1:1", "Connection refused"),
    ):
        done = await asyncio.to_thread(make_replay, query, TEMPORAL_ADDRESS=address)
        assert "Error 2" in done.stderr
        assert said in done.stdout + done.stderr
