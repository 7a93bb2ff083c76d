"""A build is released, watched and taken back: on a Temporal server alone, with workflows of a few lines."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from api.coordination import NotReady
from api.temporal import Temporal
from builds.deployment import ChangedMeanwhile, NotReleasable, Shares, make_current, ramp, routing
from builds.overview import overview
from builds.release import Plan, release
from builds.watch import ENOUGH
from temporal.attributes import TRIP_STATUS
from temporal.builds import deployment
from temporal.pollers import Build, polled
from temporal.start import BOOK_TRIP
from tests.patience import PATIENCE_S
from tests.system.own_temporal import OwnTemporal, own_temporal
from trials.polling import until
from trip.partner import TASK_QUEUE

pytestmark = [pytest.mark.server, pytest.mark.timeout(240)]

Handle = WorkflowHandle[object, str]


@activity.defn
async def nothing() -> None:
    """A worker polls for activities only if it has one."""


class _Trip:
    """Waits to be told to go on."""

    def __init__(self) -> None:
        self.may_end = False

    @workflow.signal
    def go_on(self) -> None:
        self.may_end = True


@workflow.defn(name=BOOK_TRIP)
class Plain(_Trip):
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(0.01)
        await workflow.wait_condition(lambda: self.may_end)
        return "plain"


@workflow.defn(name=BOOK_TRIP)
class Incompatible(_Trip):
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=5))
        await workflow.wait_condition(lambda: self.may_end)
        return "incompatible"


@workflow.defn(name=BOOK_TRIP)
class Broken(_Trip):
    @workflow.run
    async def run(self) -> str:
        raise KeyError("a mistake in the workflow's code")


@workflow.defn(name=BOOK_TRIP)
class Failing(_Trip):
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes([TRIP_STATUS.value_set("failed")])
        return "failed"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    server = OwnTemporal(tmp_path_factory.mktemp("temporal"))
    await asyncio.to_thread(server.start)
    try:
        yield await Client.connect(server.address)
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def worker(client: Client, build: Build, of: type) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[of],
        activities=[nothing],
        workflow_runner=UnsandboxedWorkflowRunner(),
        debug_mode=True,
        deployment_config=deployment(build or ""),
        max_cached_workflows=0,
    ):
        yield


async def begin(client: Client) -> Handle:
    """Start a trip."""
    return await client.start_workflow(
        BOOK_TRIP, id=str(uuid.uuid4()), task_queue=TASK_QUEUE, result_type=str
    )


async def goes_to(client: Client) -> Build:
    found = await routing(client)
    assert found is not None
    assert found.shares.percent == 0
    return found.shares.current


class Release:
    """A release that runs, and what it has said."""

    def __init__(self, client: Client, build: str, steps: tuple[float, ...] = (), seconds: float = 0) -> None:
        plan = Plan(build, steps, pause_s=seconds, watch_s=seconds, wait_s=PATIENCE_S, margin=0.25)
        self.said: list[str] = []
        self.task = asyncio.create_task(release(client, plan, self.said.append))

    async def has_said(self, line: str) -> None:
        async def is_said() -> bool:
            return line in self.said or self.task.done()

        await until(is_said, PATIENCE_S)
        assert line in self.said, self.task


async def released(client: Client, build: str) -> None:
    assert await Release(client, build).task


@pytest_asyncio.fixture(loop_scope="session")
async def one(client: Client) -> AsyncIterator[None]:
    """Build one is current."""
    async with worker(client, "one", Plain):
        await released(client, "one")
        yield


@pytest.mark.usefixtures("one")
async def test_a_share_of_new_trips_comes_first(client: Client) -> None:
    older = await begin(client)
    async with worker(client, "two", Incompatible):
        releasing = Release(client, "two", steps=(10, 50), seconds=0.1)
        assert await releasing.task
        assert releasing.said == [
            "build two polls",
            "build two has 10 % of new trips",
            "nothing went wrong within 0.1 s",
            "build two has 50 % of new trips",
            "nothing went wrong within 0.1 s",
            "build two is current",
            "nothing went wrong within 0.1 s",
        ]
        newer = await begin(client)
        for trip in (older, newer):
            await trip.signal("go_on")
        assert (await older.result(), await newer.result()) == ("plain", "incompatible")
        await released(client, "one")


async def test_a_build_that_cannot_go_on_with_trips_is_taken_back(client: Client) -> None:
    """Trips that were begun without a build go on with the first that is current, whether it can or not."""
    found = await routing(client)
    if found is not None and found.shares.current is not None:
        await make_current(client, None, found.token)
    async with worker(client, None, Plain):
        trip = await begin(client)
        await until(lambda: has_begun(trip), PATIENCE_S)
    async with worker(client, "apart", Incompatible):
        releasing = Release(client, "apart", seconds=PATIENCE_S)
        await releasing.has_said("build apart is current")
        await trip.signal("go_on")
        assert not await releasing.task
    assert releasing.said[2] == f"{trip.id}: its workflow cannot follow its history"
    assert releasing.said[3].startswith(
        "build apart is taken back: new trips go to workers without a build; "
    )
    async with worker(client, None, Plain):
        assert await trip.result() == "plain"


async def has_begun(trip: Handle) -> bool:
    """Whether its timer has fired, and what follows is done."""
    return (await trip.describe()).history_length >= 8


@pytest.mark.usefixtures("one")
async def test_a_build_whose_workflows_raise_is_taken_back(client: Client) -> None:
    async with worker(client, "broken", Broken):
        releasing = Release(client, "broken", seconds=PATIENCE_S)
        await releasing.has_said("build broken is current")
        trip = await begin(client)
        assert not await releasing.task
        assert releasing.said[2] == f"{trip.id}: its workflow raised an error"
        assert await goes_to(client) == "one"
        await trip.terminate()


@pytest.mark.usefixtures("one")
async def test_a_build_whose_trips_fail_more_often_is_taken_back(client: Client) -> None:
    async with worker(client, "failing", Failing):
        releasing = Release(client, "failing", seconds=PATIENCE_S)
        await releasing.has_said("build failing is current")
        for trip in [await begin(client) for _ in range(ENOUGH)]:
            assert await trip.result() == "failed"
        assert not await releasing.task
        assert f"{ENOUGH} of {ENOUGH} trips failed or need attention" in releasing.said[2]
        assert await goes_to(client) == "one"


async def test_readiness_names_the_build_that_does_not_poll(tmp_path: Path) -> None:
    """On a server of its own, which has never seen a worker without a build."""
    with own_temporal(tmp_path / "temporal") as server:
        client = await Client.connect(server.address)
        async with worker(client, "one", Plain):
            await until(lambda: polls(client, "one"), PATIENCE_S)
            said = "^no worker without a build, which is current, polls .* there are workers of build one$"
            with pytest.raises(NotReady, match=said):
                await Temporal(client).checks()["worker"]
            await released(client, "one")
            await Temporal(client).checks()["worker"]


async def polls(client: Client, build: str) -> bool:
    return bool((await polled(client)).workers.get(build))


@pytest.mark.usefixtures("one")
async def test_an_interrupted_release_is_taken_back(client: Client) -> None:
    async with worker(client, "two", Incompatible):
        releasing = Release(client, "two", steps=(10,), seconds=PATIENCE_S)
        await releasing.has_said("build two has 10 % of new trips")
        assert " ramping, 10 % " in await overview(client)
        with pytest.raises(
            NotReleasable, match="build two has 10 % of new trips; release it, or end that with"
        ):
            await Release(client, "one").task
        releasing.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await releasing.task
        assert await goes_to(client) == "one"


@pytest.mark.usefixtures("one")
async def test_what_somebody_else_changes_stands(client: Client) -> None:
    async with worker(client, "two", Incompatible), worker(client, "three", Plain):
        releasing = Release(client, "two", steps=(10, 20), seconds=3)
        await releasing.has_said("build two has 10 % of new trips")
        found = await routing(client)
        assert found is not None
        await make_current(client, "three", found.token)
        with pytest.raises(ChangedMeanwhile):
            await releasing.task
        found = await routing(client)
        assert found is not None
        assert found.shares == Shares("three", "two", 10)
        await ramp(client, None, 0, found.token)
        await released(client, "one")
