"""Which builds poll and which are to: what is said of it, and what the command takes."""

import sys
from pathlib import Path

import pytest

from builds import __main__ as command
from stack.chosen import free_ports
from stack.system import System
from temporal.pollers import Build, Polled

ONE, TWO = "one", "two"


@pytest.mark.parametrize(
    ("workers", "current", "ramping", "percent", "said"),
    [
        ({None: 1}, None, None, 0, None),
        ({ONE: 2, None: 1}, ONE, None, 0, None),
        ({ONE: 1, TWO: 1}, ONE, TWO, 10, None),
        ({}, None, None, 0, "no worker polls the task queue"),
        ({}, ONE, None, 0, "no worker polls the task queue"),
        (
            {TWO: 1, None: 1},
            ONE,
            None,
            0,
            "no worker of build one, which is current, polls the task queue; "
            "there are workers of build two and workers without a build",
        ),
        (
            {ONE: 1},
            None,
            None,
            0,
            "no worker without a build, which is current, polls the task queue; "
            "there are workers of build one",
        ),
        ({ONE: 1}, ONE, TWO, 10, "no worker of build two, which has 10 % of new trips, polls the task queue"),
        (
            {ONE: 1},
            ONE,
            None,
            5,
            "no worker without a build, which has 5 % of new trips, polls the task queue",
        ),
        ({ONE: 1}, ONE, TWO, 0, None),
    ],
)
def test_trips_stand_still_without_a_worker_of_the_build_they_go_to(
    workers: dict[Build, int], current: Build, ramping: Build, percent: float, said: str | None
) -> None:
    assert Polled(workers, current, ramping, percent).standing_still() == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "the following arguments are required"),
        ("release", "the following arguments are required: BUILD_ID"),
        ("release a'b", "a build id has 1 to 64 letters"),
        ("release two --steps 50,10", "each greater than the one before"),
        ("release two --steps 10,100", "below 100"),
        ("release two --steps ten", "a step is a number from 0 to 100, and not 'ten'"),
        ("release two --pause -1", "a time in seconds is a number from 0 to 86400"),
        ("release two --wait nan", "a time in seconds is a number from 0 to 86400"),
        ("release two --margin 101", "a margin is a number from 0 to 100"),
        ("move --to two", "one of the arguments trip_id --from is required"),
        ("move some-trip", "the following arguments are required: --to"),
        (
            "move some-trip --to two",
            "this is the code of no build, by TRIPS_BUILD_ID. It replays each history first",
        ),
        ("move some-trip --from one --to two", "not allowed with argument"),
    ],
)
def test_what_the_command_does_not_take(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["builds", *words.split()])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_embedded_system_makes_the_build_of_its_workers_current(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def releases() -> list[list[str]]:
        parts = System(tmp_path, free_ports()).parts()
        return [list(part.command[1:]) for part in parts if part.name == "release"]

    monkeypatch.delenv("TRIPS_BUILD_ID", raising=False)
    assert releases() == []
    monkeypatch.setenv("TRIPS_BUILD_ID", "one")
    assert releases() == [["-m", "builds", "release", "one", "--steps", "none", "--watch", "0"]]
