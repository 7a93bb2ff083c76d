"""`make replay`: what it says of histories that the workflows cannot follow, and of files that are none."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from replay.histories import NoHistory, files_in, read
from replay.replaying import failure_of, replayer
from tests.conftest import ROOT
from tests.patience import PATIENCE_S
from tests.replay.kept import NEWEST as HISTORIES

ENDS = "        await to_the_end(self._end(ending, booking.takeover))\n"
SAVED = "        await to_the_end(_finished(saving))\n"


def make_replay(
    what: Path | str, changes: Path | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """`make replay` of a folder or a query. What is in `changes` goes before the project's own packages."""
    chosen = f"QUERY={what}" if isinstance(what, str) else f"HISTORIES={what}"
    path = os.pathsep.join(str(place) for place in (changes, ROOT) if place)
    return subprocess.run(
        # The virtual environment is taken as it is.
        ["make", "--silent", "--assume-old=.venv/.installed", "replay", chosen],
        cwd=ROOT,
        env={**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": path, **environment},
        timeout=PATIENCE_S,
        capture_output=True,
        text=True,
        check=False,
    )


def changed(place: Path, file: str, old: str, new: str) -> Path:
    """A place with a copy of the workflows, of which one file is changed."""
    shutil.copytree(ROOT / "workflows", place / "workflows", ignore=shutil.ignore_patterns("__pycache__"))
    path = place / "workflows" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return place


def some_histories(place: Path, *names: str) -> Path:
    """A folder with some of the recorded histories."""
    place.mkdir()
    for name in names:
        shutil.copy(HISTORIES / f"{name}.json", place)
    return place


def test_two_awaits_that_change_places_are_found(tmp_path: Path) -> None:
    histories = some_histories(tmp_path / "exported", "confirmed", "breaker_open")
    changes = changed(tmp_path / "changed", "book_trip.py", ENDS + SAVED, SAVED + ENDS)
    done = make_replay(histories, changes)
    assert "Error 1" in done.stderr, done
    found = re.search(r"/confirmed\.json: BookTrip fails at event (\d+) \(MarkerRecorded\): ", done.stdout)
    assert found is not None, done
    assert int(found[1]) == marker_of(histories / "confirmed.json", "confirm_payment")
    assert "2 replayed (2 BookTrip); 2 failed" in done.stdout


def marker_of(path: Path, activity: str) -> int:
    """The event that records a local activity."""
    events = WorkflowHistory.from_json("a trip", path.read_text()).events
    markers = {e.event_id: e.marker_recorded_event_attributes.details["data"] for e in events}
    wanted = f'"activity_type":"{activity}"'.encode()
    return next(
        number for number, data in markers.items() if data.payloads and wanted in data.payloads[0].data
    )


def without(events: list[Any], *numbers: int) -> list[Any]:
    return [event for number, event in enumerate(events, start=1) if number not in numbers]


def test_histories_are_read_as_they_are_exported(tmp_path: Path) -> None:
    whole = json.loads((HISTORIES / "confirmed.json").read_text())
    exported: Mapping[str, Any] = {
        "command_line": whole,
        "events_alone": whole["events"],
        "of_the_server": {"history": whole},
        "reversed": {"events": whole["events"][::-1]},
        "named_otherwise": {"events": [otherwise_named(event) for event in whole["events"]]},
        "not_begun": {"events": whole["events"][:1]},
    }
    for name, document in exported.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.json").write_text(json.dumps(document))
    done = make_replay(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "5 replayed (5 BookTrip); 0 failed; 1 not begun, so nothing to replay\n"


def otherwise_named(event: dict[str, Any]) -> dict[str, Any]:
    """With the type as older versions of the UI write it."""
    words = event["eventType"].removeprefix("EVENT_TYPE_").title()
    return event | {"eventType": words.replace("_", "")}


def readable(value: Any) -> Any:
    """With payloads as the UI writes them for people."""
    if isinstance(value, dict):
        return {"a": "trip"} if "metadata" in value else {key: readable(item) for key, item in value.items()}
    return [readable(item) for item in value] if isinstance(value, list) else value


def test_what_is_no_history_is_named(tmp_path: Path) -> None:
    events = json.loads((HISTORIES / "confirmed.json").read_text())["events"]
    files = {
        "text.json": "Bad Gateway",
        "other.json": json.dumps({"trips": []}),
        "null.json": "null",
        "empty.json": json.dumps({"events": []}),
        "headless.json": json.dumps({"events": without(events, 1)}),
        "with_a_gap.json": json.dumps({"events": without(events, 6)}),
        "readable.json": json.dumps({"events": readable(events)}),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    shutil.copy(HISTORIES / "confirmed.json", tmp_path)
    done = make_replay(tmp_path)
    assert "Error 2" in done.stderr
    assert all(done.stderr.count(f"/{name}: this ") == 1 for name in files), done.stderr
    assert done.stdout == "1 replayed (1 BookTrip); 0 failed; 7 not readable\n"


def test_a_folder_without_histories_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match=f"{tmp_path}: there is no "):
        files_in(tmp_path)
    done = make_replay(tmp_path / "not-there")
    assert "/not-there: there is no " in done.stderr
    assert "Error 2" in done.stderr


async def test_a_workflow_that_is_not_known_here_fails(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text((HISTORIES / "confirmed.json").read_text().replace('"BookTrip"', '"BookCruise"'))
    failure = await failure_of(replayer(None), read(path))
    assert failure is not None
    assert "BookCruise is not registered" in failure.why
