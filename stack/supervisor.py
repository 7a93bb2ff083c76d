"""Starts each part as soon as those it needs are ready, restarts what dies, and stops all in order."""

import asyncio
import contextlib
import os
import random
import signal
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from guard.backoff import BackoffPolicy, Jitter, next_delay
from stack.children import Child, ForkError, Zygote, executed, is_forked, lines_of_child
from stack.parts import Part
from stack.ports import holder, is_taken

READY_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.05
RESTARTS = BackoffPolicy(base_s=0.2, cap_s=5, jitter=Jitter.EQUAL)
STARTS_BEFORE_GIVING_UP = 3
STEADY_AFTER_S = 10.0
STOP_TIMEOUT_S = 7.0
LAST_LINES = 15

Say = Callable[[str, str], None]


class StartError(Exception):
    """A part did not start. The message says which one, why, and what to do."""


class Supervisor:
    """Keeps the parts alive. Calls `say(name, line)` with each line that a part prints."""

    def __init__(self, parts: Sequence[Part], run_dir: Path, say: Say) -> None:
        self._parts = {part.name: part for part in parts}
        self._run_dir = run_dir
        self._say = say
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._children: dict[str, Child] = {}
        self._zygote = Zygote()
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._last_lines: dict[str, deque[str]] = {part.name: deque(maxlen=LAST_LINES) for part in parts}
        self._stopping = False

    async def start(self) -> None:
        """Start all parts, side by side if they can be. Returns when all are ready. Raises StartError."""
        self._keepers = {name: asyncio.create_task(self._keep(part)) for name, part in self._parts.items()}
        all_ready = asyncio.create_task(self._all_ready())
        try:
            await self._first_of(all_ready)
        finally:
            all_ready.cancel()

    async def _first_of(self, all_ready: asyncio.Task[None]) -> None:
        """Returns when all parts are ready. Raises what a keeper raises before that."""
        waiting = {all_ready, *self._keepers.values()}
        while not all_ready.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def stop(self) -> None:
        """Stop all parts. A part stops before those that it needs."""
        self._stopping = True
        while left := set(self._children):
            needed = {need for name in left for need in self._needs_of(name)}
            await asyncio.gather(*(self._stop(name) for name in left - needed))
        for keeper in self._keepers.values():
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers.values())
        await self._zygote.end()

    async def _all_ready(self) -> None:
        await asyncio.gather(*(event.wait() for event in self._ready.values()))

    def _needs_of(self, name: str) -> set[str]:
        """The parts that must outlive a part, directly or through others."""
        part = self._parts[name]
        needs: set[str] = set()
        for need in {*part.needs, *part.uses} & self._parts.keys():
            needs |= {need} | self._needs_of(need)
        return needs

    def check_ports(self) -> None:
        """Raises StartError if a part's port is taken."""
        for part in self._parts.values():
            if part.port and is_taken(part.port, part.host):
                remedy = f"; choose another with {part.port_variable}" if part.port_variable else ""
                raise StartError(f"{part.name}: port {part.port} is taken by {holder(part.port)}{remedy}")

    async def _keep(self, part: Part) -> None:
        for need in part.needs:
            await self._ready[need].wait()
        failures = 0
        while not self._stopping:
            started = asyncio.get_running_loop().time()
            code = await self._run(part)
            if part.once and code == 0:
                self._ready[part.name].set()
                return
            if self._stopping:
                return
            steady = asyncio.get_running_loop().time() - started > STEADY_AFTER_S
            failures = 1 if steady else failures + 1
            if not self._ready[part.name].is_set() and failures >= STARTS_BEFORE_GIVING_UP:
                raise StartError(self._why(part, code))
            pause = next_delay(RESTARTS, failures - 1, random.uniform)
            self._say("stack", f"{part.name} ended with {code}; starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)

    def _why(self, part: Part, code: int | None) -> str:
        lines = "\n".join(f"    {line}" for line in self._last_lines[part.name])
        return f"{part.name} does not start (it ended with {code}); its last lines:\n{lines}"

    async def _run(self, part: Part) -> int | None:
        async with lines_of_child() as (lines, output):
            try:
                child = await self._spawn(part, output)
            except ForkError as refusal:
                self._last_lines[part.name].append(str(refusal))
                return None
            finally:
                os.close(output)
            reading = asyncio.create_task(self._read(part.name, lines))
            watching = asyncio.create_task(self._watch(part, child))
            try:
                code = await child.wait()
                await asyncio.wait([reading], timeout=1)
            finally:
                self._children.pop(part.name, None)
                self._pid_file(part.name).unlink(missing_ok=True)
                for task in (reading, watching):
                    task.cancel()
                await asyncio.wait([reading, watching])
        if watching.done() and not watching.cancelled() and (error := watching.exception()):
            raise error
        return code

    async def _spawn(self, part: Part, output: int) -> Child:
        start = self._zygote.fork if is_forked(part) else executed
        child = await start(part, output)
        self._children[part.name] = child
        self._note_pid(part.name, child.pid)
        return child

    async def _watch(self, part: Part, child: Child) -> None:
        """Set the part's event when the part is ready. End a child that does not become ready."""
        if part.once:
            return
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while not await part.ready():  # noqa: ASYNC110 - another process sets no event
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            _signal(child, signal.SIGKILL)
            if not self._ready[part.name].is_set():
                raise StartError(f"{part.name} does not answer within {READY_TIMEOUT_S:g} s") from None
        if not self._ready[part.name].is_set():
            self._say("stack", f"{part.name} is up")
        self._ready[part.name].set()

    async def _read(self, name: str, lines: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await lines.readline()
            except ValueError:  # a line over the reader's limit
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            self._last_lines[name].append(text)
            self._say(name, text)

    async def _stop(self, name: str) -> None:
        child = self._children.get(name)
        if child is None:
            return
        _signal(child, self._parts[name].stop_signal)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await child.wait()
        except TimeoutError:
            self._say("stack", f"{name} did not stop within {STOP_TIMEOUT_S:g} s; it is killed")
            _signal(child, signal.SIGKILL)
            await child.wait()
        self._children.pop(name, None)

    def _note_pid(self, name: str, pid: int) -> None:
        """Write the file in one step, so that no reader sees half of it."""
        path = self._pid_file(name)
        new = path.with_suffix(".new")
        new.write_text(f"{pid}\n")
        new.replace(path)

    def _pid_file(self, name: str) -> Path:
        return self._run_dir / f"{name}.pid"


def _signal(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if number is signal.SIGKILL:
            os.killpg(child.pid, number)
        else:
            child.send_signal(number)
