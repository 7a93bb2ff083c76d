"""Every recorded history must replay: a change of the workflow that breaks a running trip is seen here."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import NondeterminismError

from tests.conftest import RunningSystem
from tests.replay.record import HISTORIES
from tests.replay.ways_out import WAYS_OUT
from trials.orders import order
from trials.traveller import Traveller
from trip.plan import stages
from workflows import saga
from workflows.book_trip import BookTrip

MOST_FRESH = 300
PASSED_THROUGH = (
    "config",
    "guard",
    "partners",
    "serving",
    "trip",
    "pydantic",
    "pydantic_core",
    "annotated_types",
)

RECORDED = sorted(HISTORIES.glob("*.json"))


def recorded(name: str) -> WorkflowHistory:
    """The history of a way out."""
    return WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())


def replayer() -> Replayer:
    """Replays in the sandbox, which refuses what a workflow must not do."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return Replayer(
        workflows=[BookTrip],
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions),
    )


def test_every_way_out_is_recorded() -> None:
    assert {path.stem for path in RECORDED} == set(WAYS_OUT)


@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
async def test_a_recorded_history_replays(path: Path) -> None:
    history = recorded(path.stem)
    await replayer().replay_workflow(history)


@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
def test_a_recorded_history_does_not_tell_of_the_machine(path: Path) -> None:
    assert str(Path(__file__).parents[2]) not in path.read_text()


async def test_a_changed_workflow_fails_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saga, "stages", lambda order: [list(reversed(stage)) for stage in stages(order)])
    changed = Replayer(
        workflows=[BookTrip],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    history = recorded("confirmed")
    with pytest.raises(NondeterminismError):
        await changed.replay_workflow(history)


@pytest.mark.last
async def test_what_just_ran_replays(system: RunningSystem, traveller: Traveller) -> None:
    booked = await traveller.book(order(), wait=20)
    assert booked["status"] == "confirmed", booked
    client = await Client.connect(system.temporal, data_converter=pydantic_data_converter)
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = client.list_workflows(
        f"WorkflowType = 'BookTrip' and ExecutionStatus != 'Running' and StartTime > '{since}'",
        limit=MOST_FRESH,
    )
    # The list is eventually consistent, and may not have the last one yet.
    for trip_id in {booked["trip_id"], *[workflow.id async for workflow in ended]}:
        history = await client.get_workflow_handle(trip_id).fetch_history()
        await replayer().replay_workflow(history)
