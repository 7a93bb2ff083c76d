"""Debian's HAProxy with the configuration that compose gives it, before front doors of this machine."""

import contextlib
import os
import re
import shutil
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from stack.ports import free_port

CONFIGURATION = Path(__file__).resolve().parent.parent / "stack" / "deploy" / "proxy" / "haproxy.cfg"
PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
REMEDY = "no haproxy: install one (apt-get install haproxy)"

needs_haproxy = pytest.mark.skipif(PROGRAM is None, reason=REMEDY)


def configuration(port: int, servers: Sequence[int]) -> str:
    """Compose's own, on a port of this machine. No name server knows the front doors, so they are named."""
    text = CONFIGURATION.read_text()
    named = "\n".join(f"    server api-{at} 127.0.0.1:{at}" for at in servers)
    text, bound = re.subn(r"bind :8000", f"bind 127.0.0.1:{port}", text)
    text, found = re.subn(r"    server-template .*", named, text)
    assert (bound, found) == (1, 1)
    return text


@contextlib.asynccontextmanager
async def haproxy(place: Path, servers: Sequence[int]) -> AsyncIterator[str]:
    """The URL at which a HAProxy of its own leads to the front doors at these ports."""
    assert PROGRAM is not None, REMEDY
    port, file = free_port(), place / "haproxy.cfg"
    file.write_text(configuration(port, servers))
    process = await create_subprocess_exec(PROGRAM, "-db", "-f", str(file), stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
