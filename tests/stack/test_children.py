"""Children of the supervisor: what a fork of the zygote has in common with a program, and when both end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stack.children import Child, ForkError, Zygote, executed, is_forked, lines_of_child
from stack.parts import Part, always
from stack.zygote import REQUEST_BYTES
from tests.patience import PATIENCE_S

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux"),
]


SHOW = """
import atexit, json, os, signal, sys
import beside
atexit.register(print, "at exit")
print(json.dumps({
    "argv": sys.argv, "name": __name__, "cwd": os.getcwd(),
    "env": {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")},
    "leads": os.getsid(0) == os.getpid(), "stdin": sys.stdin.read(),
    "children": str(signal.getsignal(signal.SIGCHLD)), "files": sorted(os.listdir("/proc/self/fd")),
    "path": sys.path[0],
}))
print("on standard error", file=sys.stderr, flush=True)
if sys.argv[1:] == ["wait"]:
    signal.pause()
sys.exit(7)
"""


@pytest.fixture(scope="module")
async def zygote() -> AsyncIterator[Zygote]:
    kept = Zygote()
    try:
        yield kept
    finally:
        await kept.end()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a script and a package that show what they are given."""
    (tmp_path / "beside.py").touch()
    (tmp_path / "shown.py").write_text(SHOW)
    (tmp_path / "shows").mkdir()
    (tmp_path / "shows" / "__init__.py").touch()
    (tmp_path / "shows" / "__main__.py").write_text(SHOW)
    return tmp_path


def part(place: Path, *arguments: str) -> Part:
    return Part("shown", [sys.executable, *arguments], always, env={"TOLD": "ü"}, cwd=place)


async def outcome(start: Zygote | None, given: Part) -> tuple[int, list[str]]:
    """The status and the lines of a child that ends by itself."""
    async with lines_of_child() as (lines, output), asyncio.timeout(PATIENCE_S):
        try:
            child: Child = await (start.fork(given, output) if start else executed(given, output))
        finally:
            os.close(output)
        said = (await lines.read()).decode().splitlines()
        return await child.wait(), said


@pytest.mark.parametrize("arguments", [("-m", "shows", "a", "b"), ("shown.py", "a", "b")], ids=" ".join)
async def test_a_fork_is_as_the_program_would_be(
    zygote: Zygote, place: Path, arguments: tuple[str, ...]
) -> None:
    given = part(place, *arguments)
    assert is_forked(given)
    forked, program = await outcome(zygote, given), await outcome(None, given)
    assert forked == program
    status, said = forked
    assert status == 7
    assert said[-1] == "at exit" and "on standard error" in said


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONPATH"])
def test_a_part_that_has_to_start_otherwise_is_a_program(place: Path, name: str) -> None:
    assert not is_forked(replace(part(place, "shown.py"), env={name: "told"}))


async def test_forks_that_die_are_told_apart_and_the_others_live(zygote: Zygote, place: Path) -> None:
    async with lines_of_child() as (lines, output), asyncio.timeout(PATIENCE_S):
        first, second = [await zygote.fork(part(place, "shown.py", "wait"), output) for _ in range(2)]
        os.close(output)
        while b"on standard error" not in await lines.readline():
            pass
        first.send_signal(signal.SIGKILL)
        assert await first.wait() == -signal.SIGKILL
        assert psutil.Process(second.pid).is_running()
        second.send_signal(signal.SIGTERM)
        assert await second.wait() == -signal.SIGTERM
        second.send_signal(signal.SIGTERM)  # to nobody: another process may have the number by now


async def test_an_environment_that_is_too_large_is_refused(zygote: Zygote, place: Path) -> None:
    large = replace(part(place, "shown.py"), env={"LARGE": "x" * REQUEST_BYTES})
    with pytest.raises(ForkError, match="environment"):
        await outcome(zygote, large)
    assert (await outcome(zygote, part(place, "shown.py")))[0] == 7


async def test_a_dead_zygote_takes_its_forks_along_and_another_forks_on(zygote: Zygote, place: Path) -> None:
    async with lines_of_child() as (_, output), asyncio.timeout(PATIENCE_S):
        first = await zygote.fork(part(place, "shown.py", "wait"), output)
        process = psutil.Process(first.pid)
        parent = process.parent()
        assert parent is not None
        assert parent.num_threads() == 1  # a fork would lack the others
        parent.kill()
        assert await first.wait() == -signal.SIGKILL
        await asyncio.to_thread(psutil.wait_procs, [process], PATIENCE_S)
        assert not process.is_running()
        second = await forked_again(zygote, part(place, "shown.py", "wait"), output)
        os.close(output)
        await zygote.end()
        assert await second.wait() == -signal.SIGKILL


async def forked_again(zygote: Zygote, given: Part, output: int) -> Child:
    """A fork, once it is known that the zygote before is dead."""
    while True:
        try:
            return await zygote.fork(given, output)
        except ForkError:
            await asyncio.sleep(0.05)
