"""Builds of the worker, of which some cannot go on with the others' trips: each trip keeps its build."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
import pytest_asyncio
from temporalio.client import Client

from audit.run import audit
from builds.deployment import make_current, routing
from builds.release import until_it_polls
from tests.conftest import ROOT, SHARED, RunningSystem
from tests.examples.test_change import COMMAND, is_like
from tests.patience import PATIENCE_S
from trials.orders import order
from trials.releases.fleet import Fleet, builds_of
from trials.releases.incompatible import blocks, incompatible
from trials.releases.turns import Plan, take_turns, three_workers

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

A_FEW = Plan(per_s=4, seconds=6, latency_ms=700)


class Done(NamedTuple):
    """What a command has printed, and its exit status."""

    status: int
    said: str


@dataclass(frozen=True)
class Running(Fleet):
    """The spare system, to which workers that name their build are added."""

    async def builds(self, *words: str, build_id: str = "", changes: Path | None = None) -> Done:
        """`python -m builds` with the code of a build."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "builds", *words),
            env=self.environment(build_id, changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Done(process.returncode, said.decode())

    async def stuck_at_flight(self) -> str:
        """A trip whose payment is captured, and whose flight cannot be confirmed until it is mended."""
        await self.traveller.break_partner("flight", error_rate=1, status=503, verbs=["confirm"])
        trip_id = str((await self.traveller.book(order()))["trip_id"])
        await self.traveller.until(trip_id, "needs_attention")
        return trip_id


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(spare: RunningSystem, http: aiohttp.ClientSession) -> AsyncIterator[Running]:
    """The spare system. Later trips are those of its own worker again, which names no build."""
    client = await Client.connect(spare.temporal, data_converter=spare.converter())
    yield Running(spare, spare.traveller(http), client, SHARED | {"TRIPS_RETRY_ATTEMPTS": "2"})
    found = await routing(client)
    if found is not None and found.shares.current is not None:
        await make_current(client, None, found.token)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workflows with a change that fails in the replay of older trips."""
    return incompatible(tmp_path_factory.mktemp("changes"))


@pytest.fixture(scope="module")
def workers(running: Running, changed: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Two workers of build one, of which the first is given, and one of build two, with incompatible code."""
    with three_workers(running, changed) as first:
        yield first


async def test_builds_take_turns_under_load(running: Running, workers: "subprocess.Popen[bytes]") -> None:
    """One, then two, which cannot go on with the trips of one, then one; a worker is killed meanwhile."""
    turns = await take_turns(running, workers, A_FEW)
    assert turns.violations() == []
    assert workers.poll() is not None
    report = await audit(running.world.endpoints())
    found = [discrepancy for discrepancy in report.discrepancies if discrepancy.subject in turns.builds]
    assert (found, set(report.in_flight) & set(turns.builds)) == ([], set())


@pytest.mark.usefixtures("workers")
async def test_a_trip_that_needs_attention_is_moved(running: Running, changed: Path) -> None:
    await running.release("one")
    trip_id = await running.stuck_at_flight()
    await running.release("two")
    with running.worker("alike"):
        await until_it_polls(running.client, "alike", PATIENCE_S, lambda _: None)
        done = await running.builds("move", trip_id, "--to", "two", build_id="two", changes=changed)
        assert done.status == 1
        assert re.match(rf"{trip_id}: left as it is; its history fails at event \d+ ", done.said), done
        done = await running.builds("move", "--from", "one", "--to", "alike", build_id="alike")
        assert done == (0, f"{trip_id}: moved to build alike\n1 moved, 0 left\n")
        done = await running.builds("status")
        assert re.search(r"^one +draining +\d +0 +0$", done.said, re.MULTILINE), done
        assert re.search(r"^two +current +1 +0 +0$", done.said, re.MULTILINE), done
        assert re.search(r"^alike +draining +1 +1 +1$", done.said, re.MULTILINE), done
        await running.traveller.mend_partner("flight")
        assert (await running.traveller.until(trip_id))["status"] == "confirmed"
        # The record knows the end before the history does.
        await running.client.get_workflow_handle(trip_id).result(rpc_timeout=timedelta(seconds=PATIENCE_S))
        assert builds_of(await running.history(trip_id)) == ("one", "alike")


@pytest.mark.usefixtures("workers")
async def test_the_page_shows_what_happens(running: Running) -> None:
    await running.release("one")
    page = blocks(ROOT / "docs" / "release.md")
    commands = [shown for kind, text in page if kind == "console" for shown in COMMAND.findall(text)]
    assert len(commands) == 3
    for command, shown in commands:
        named, _, words = command.partition("python -m builds ")
        build_id = named.strip().removeprefix("TRIPS_BUILD_ID=")
        done = await running.builds(*words.split(), build_id=build_id)
        assert done.status == 0, done
        assert is_like(done.said, shown), f"$ {command}\n{done.said}"
