"""docs/change-the-workflow.md, carried out: its diffs on a copy of the workflows, its commands for real."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, RunningSystem
from tests.patience import PATIENCE_S
from tests.replay.test_command import make_replay
from trials.releases.incompatible import apply, blocks

COMMAND = re.compile(r"^\$ (.*)\n((?:[^$].*\n)*)", re.MULTILINE)
REPLAY = re.compile(r"make replay HISTORIES=(\S+)")
SHOW = re.compile(r"temporal workflow show --workflow-id TRIP_ID --output json > (exported/\S+)")


def export_a_trip(address: str, changes: Path, to: Path) -> None:
    """The history of a trip that the workflow in `changes` carries to its end."""
    environment = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join((str(changes), str(ROOT)))}
    command = [sys.executable, "-m", "tests.examples.changed_trip", address]
    with to.open("w") as file:
        subprocess.run(
            command, env={**os.environ, **environment}, stdout=file, timeout=PATIENCE_S, check=True
        )


def run(command: str, address: str, changes: Path, place: Path) -> str:
    """What the command prints. `exported` is in `place`, as `tests` is in the project."""
    if shown := SHOW.fullmatch(command):
        export_a_trip(address, changes, place / shown[1])
        return ""
    replayed = REPLAY.fullmatch(command)
    assert replayed is not None, command
    is_own = replayed[1].startswith("exported")
    done = make_replay(place / replayed[1] if is_own else Path(replayed[1]), changes)
    return done.stdout.replace(f"{place}/", "")


def is_like(printed: str, shown: str) -> bool:
    """Whether the page shows what is printed, but for what it leaves out."""
    pattern = "(?:.*\n)*".join(re.escape(part) for part in re.split("^…\n", shown, flags=re.MULTILINE))
    return re.fullmatch(pattern, printed) is not None


async def test_the_page_shows_what_happens(system: RunningSystem, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "workflows", tmp_path / "workflows")
    (tmp_path / "exported").mkdir()
    for kind, text in blocks():
        if kind == "diff":
            apply(tmp_path, text)
            continue
        for command, shown in COMMAND.findall(text):
            printed = await asyncio.to_thread(run, command, system.temporal, tmp_path, tmp_path)
            assert is_like(printed, shown), f"$ {command}\n{printed}"
