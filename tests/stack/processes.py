"""The services of docker-compose.yml as processes of this machine."""

import asyncio
import contextlib
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from tests.patience import PATIENCE_S
from tests.stack.composition import ROOT, environment, services

SCRIPTS = Path(sys.executable).parent
LOOK_EVERY_S = 0.3


def _bare() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


async def started(image: Path, service: str, told: Mapping[str, str]) -> Process:
    """The service's command, in the image's files, told what is given and nothing else."""
    return await _run(image, services()[service]["command"], told)


async def make_token(image: Path, told: Mapping[str, str]) -> str:
    """A traveller's token, made in the image's files as the README says."""
    words = ("make", "--tenant", "acme", "--scope", "traveller", "--name", "a test")
    process = await _run(image, ("python", "-m", "api.tokens", *words), told)
    async with asyncio.timeout(PATIENCE_S):
        made, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return made.decode().strip()


async def _run(image: Path, command: Sequence[str], told: Mapping[str, str]) -> Process:
    program, *words = command
    env = {**_bare(), **told, "PYTHONDONTWRITEBYTECODE": "1"}
    return await asyncio.create_subprocess_exec(
        str(SCRIPTS / program), *words, cwd=image, env=env, stdout=PIPE, stderr=PIPE
    )


async def stopped(process: Process) -> int:
    """Stop the process as compose does; its exit status."""
    if process.returncode is None:
        process.terminate()
    return await ended(process, PATIENCE_S)


async def ended(process: Process, within_s: float) -> int:
    """Wait for the process's own end; its exit status."""
    try:
        async with asyncio.timeout(within_s):
            await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode is not None
    return process.returncode


@contextlib.asynccontextmanager
async def running(image: Path, service: str, told: Mapping[str, str]) -> AsyncIterator[Process]:
    """The service while the context is open."""
    process = await started(image, service, told)
    try:
        yield process
    finally:
        await stopped(process)


async def healthy(image: Path, process: Process, service: str, port: int) -> None:
    """Wait until the service's own health check, at the port it has here, succeeds."""
    _, program, script, url = services()[service]["healthcheck"]["test"]
    here = url.replace(f":{url.split(':')[2].split('/')[0]}/", f":{port}/")
    async with asyncio.timeout(PATIENCE_S):
        while process.returncode is None:
            check = await asyncio.create_subprocess_exec(
                str(SCRIPTS / program), script, here, cwd=image, stderr=PIPE
            )
            _, said = await check.communicate()
            if check.returncode == 0:
                return
            await asyncio.sleep(LOOK_EVERY_S)
    assert process.stderr is not None
    raise AssertionError(f"{service} ended: {(await process.stderr.read()).decode()}\n{said.decode()}")


def make_namespace(temporal: str, namespace: str) -> str:
    """Run compose's script for the namespace on the server at `temporal`; what it says."""
    told = environment("temporal-namespace") | {
        "TEMPORAL_ADDRESS": temporal,
        "TEMPORAL_NAMESPACE": namespace,
        "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
    }
    command = ["sh", str(ROOT / "stack" / "deploy" / "temporal" / "namespace.sh")]
    made = subprocess.run(
        command, check=True, env=_bare() | told, timeout=100, capture_output=True, text=True
    )
    return made.stdout
