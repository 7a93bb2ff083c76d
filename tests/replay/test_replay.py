"""Every recorded history must replay: a change of the workflow that breaks a running trip is seen here."""

import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from config.temporal import data_converter
from replay.replaying import failure_of, replayer, workflow_of
from tests.conftest import ROOT, RunningSystem
from tests.patience import PATIENCE_S
from tests.replay.kept import HISTORIES, NEWEST, SUMS, releases, sums
from tests.replay.other_ways import OTHER_WAYS
from tests.replay.ways_out import WAYS_OUT
from trials.orders import order
from trials.traveller import Traveller
from trip.plan import stages
from workflows import saga
from workflows.book_trip import BookTrip
from workflows.registered import WORKFLOWS

MOST_FRESH = 300
RECORDED = sorted(HISTORIES.rglob("*.json"))
NAMES = [str(path.relative_to(HISTORIES).with_suffix("")) for path in RECORDED]


def recorded(path: Path) -> WorkflowHistory:
    """The history of a way out."""
    return WorkflowHistory.from_json(path.stem, path.read_text())


def test_every_way_out_is_recorded() -> None:
    assert {path.stem for path in NEWEST.glob("*.json")} == {*WAYS_OUT, *OTHER_WAYS}


def test_every_workflow_is_recorded() -> None:
    of = {workflow_of(recorded(path)) for path in NEWEST.glob("*.json")}
    assert of == {workflow.__name__ for workflow in WORKFLOWS}


def test_the_histories_of_the_release_are_kept() -> None:
    """A new version takes `make histories RELEASE=…`, with the code that is released."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version in [folder.name for folder in releases()]


@pytest.mark.parametrize("folder", releases(), ids=lambda folder: str(folder.name))
def test_the_histories_of_a_release_are_not_recorded_anew(folder: Path) -> None:
    assert (folder / SUMS).read_text() == sums(folder)
    command = [sys.executable, "-m", "tests.replay.record", "--release", folder.name]
    refused = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert refused.returncode == 2
    assert "not recorded anew" in refused.stderr


@pytest.mark.parametrize("path", RECORDED, ids=NAMES)
async def test_a_recorded_history_replays(path: Path) -> None:
    assert await failure_of(replayer(None), recorded(path)) is None


def patches() -> set[str]:
    """The names of the patches that have two branches."""
    found = set()
    for path in (ROOT / "workflows").glob("*.py"):
        text = path.read_text()
        names = re.findall(r"workflow\.patched\((\w+)\)", text)
        found |= {value for name in names for value in re.findall(rf'^{name} = "(.+)"$', text, re.MULTILINE)}
        assert text.count("workflow.patched(") == len(names)
    return found


async def test_both_branches_of_each_patch_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the newest histories and those of the release, which began without the patch."""
    gone: set[tuple[str, bool]] = set()

    def patched(name: str) -> bool:
        is_patched = ask(name)
        gone.add((name, is_patched))
        return is_patched

    ask = workflow.patched
    monkeypatch.setattr(workflow, "patched", patched)
    outside = Replayer(
        workflows=WORKFLOWS,
        data_converter=data_converter(None),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    for path in RECORDED:
        assert await failure_of(outside, recorded(path)) is None
    assert gone == {(name, is_patched) for name in patches() for is_patched in (True, False)}


@pytest.mark.parametrize("path", RECORDED, ids=NAMES)
def test_a_recorded_history_does_not_tell_of_the_machine(path: Path) -> None:
    assert str(ROOT) not in path.read_text()


async def test_a_changed_workflow_fails_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saga, "stages", lambda order: [list(reversed(stage)) for stage in stages(order)])
    changed = Replayer(
        workflows=[BookTrip],
        data_converter=data_converter(None),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    history = recorded(NEWEST / "confirmed.json")
    with pytest.raises(NondeterminismError):
        await changed.replay_workflow(history)


@pytest.mark.last
async def test_what_just_ran_replays(system: RunningSystem, traveller: Traveller) -> None:
    booked = await traveller.book(order(), wait=60)
    assert booked["status"] == "confirmed", booked
    client = await Client.connect(system.temporal, data_converter=system.converter())
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = client.list_workflows(
        f"WorkflowType = 'BookTrip' and ExecutionStatus != 'Running' and StartTime > '{since}'",
        limit=MOST_FRESH,
    )
    replays = replayer(system.codec())
    # The list is eventually consistent, and may not have the last one yet.
    for trip_id in {booked["trip_id"], *[one.id async for one in ended]}:
        history = await client.get_workflow_handle(trip_id).fetch_history()
        assert await failure_of(replays, history) is None, trip_id
