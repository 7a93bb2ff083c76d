"""One running system for the whole session, started as a user starts it, in a temporary place."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from stack.chosen import Ports, free_ports
from stack.parent import die_with_parent
from stack.surroundings import forget_all
from tests import faketime, haproxy, pooler, prometheus
from tests.browser import chromium
from tests.patience import PATIENCE_S
from tests.pooler import Way
from trials.traveller import Traveller
from trials.world import World, described

forget_all()

# How long one example takes says how busy the machine is.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 180


@dataclass(frozen=True)
class RunningSystem(World):
    """A running system and the process that supervises it. `pooled_url` leads to its record by a pooler."""

    process: "subprocess.Popen[str]"
    pooled_url: str | None = None

    def reaching_record(self) -> dict[str, str]:
        """The environment of a process that reaches the record as the system's own do."""
        if self.pooled_url is None:
            return {"DATABASE_URL": self.database_url}
        return {"DATABASE_URL": self.pooled_url, "TRIPS_DATABASE_DIRECT_URL": self.database_url}

    @property
    def way(self) -> Way:
        """How the system's own processes reach the record."""
        return Way(self.pooled_url or self.database_url, is_pooled=self.pooled_url is not None)


def environment(ports: Ports, data_dir: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """What `python -m stack up` is told to run on these ports in this place."""
    told = {f"TRIPS_{name.upper()}": str(port) for name, port in ports.model_dump(exclude_none=True).items()}
    return {**os.environ, **told, "TRIPS_DATA_DIR": str(data_dir), **extra}


@contextlib.contextmanager
def running_system(
    data_dir: Path,
    extra: Mapping[str, str],
    ports: Ports | None = None,
    root: Path = ROOT,
    pooled: bool = pooler.IS_EVERYWHERE,
) -> Iterator[RunningSystem]:
    """A system of its own from the project at `root`, with `extra` in its environment.

    `pooled`: its processes reach the record through a pooler, unless `extra` says where the record is.
    SIGTERM must end it with status 0. It dies with the test run, also if that is killed.
    """
    ports = ports or free_ports()
    log = data_dir / "system.log"
    data_dir.mkdir(parents=True, exist_ok=True)
    module = "tests.pooled_stack" if pooled and "DATABASE_URL" not in extra else "stack"
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=root,
            env=environment(ports, data_dir, extra),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            process_group=0,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - a call of the kernel alone
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready "), f"the system did not start:\n{log.read_text()[-4000:]}"
            yield RunningSystem(process=process, ports=ports, **described(data_dir))  # type: ignore[arg-type]
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE_S) == 0
                assert list((data_dir / "run").glob("*.pid")) == []
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()
                process.communicate()


@pytest.fixture(scope="session")
def system() -> Iterator[RunningSystem]:
    """The system that tests share: each uses trips, keys and dates of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", SHARED, pooled=pooler.IS_SHARED) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def spare() -> Iterator[RunningSystem]:
    """A system that tests may spoil. Its front door has narrow bounds."""
    with (
        tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", SHARED | NARROW) as started,
    ):
        yield started


SHARED = {
    # Quick retries, so that tests of failures need not wait for the default ones.
    "TRIPS_RETRY_BASE_S": "0.1",
    "TRIPS_RETRY_CAP_S": "1",
    # Breakers that one test's faults do not open for the others.
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "10000",
    "TRIPS_PROBE_INTERVAL_S": "3600",
    # Tests write rows of trips that no workflow carries on.
    "TRIPS_UPKEEP_S": "3600",
}
BACKLOG = 30
WAITS = 2
"""What one tenant gets if it is alone: half of all."""
NARROW = {"TRIPS_BACKLOG": str(2 * BACKLOG), "TRIPS_WAITS": str(2 * WAITS)}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client session for all tests."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=70)) as session:
        yield session


@pytest.fixture(scope="session")
def traveller(system: RunningSystem, http: aiohttp.ClientSession) -> Traveller:
    """Calls to the shared system."""
    return system.traveller(http)


SERVERS = {
    "arena",
    "engine",
    "ground",
    "guarded",
    "network",
    "own_system",
    "postgres",
    "server",
    "short",
    "spare",
    "system",
    "watched",
}
"""The fixtures that start servers; a file that starts some by itself marks its tests."""

SHARING = {
    "tests/trials/chaos/": "chaos",
    "tests/browser/": "browser",
    "tests/choreography/ledger/": "ledger",
    "tests/partners/": "partners",
    "tests/record/": "record",
    "tests/tokens/": "tokens",
    "tests/audit/test_planted.py": "spare",
    "tests/system/test_backpressure.py": "spare",
    "tests/system/test_builds.py": "spare",
    "tests/system/test_openapi.py": "spare",
}
"""Files that share servers beside the common system, so that one xdist worker runs them."""

LONGEST = (
    "tests/trials/chaos/",
    "tests/system/test_lost.py",
    "tests/audit/test_planted.py",
    "tests/partners/",
    "tests/browser/",
    "tests/record/",
    "tests/system/test_breakers.py",
    "tests/system/test_clocks.py",
    "tests/system/test_idempotency.py",
    "tests/system/test_reset.py",
    "tests/system/test_cancels.py",
    "tests/trials/bench/test_contestants.py",
    "tests/system/test_supervision.py",
)
"""Files that take long come first, so that no xdist worker is left with them at the end."""


class Groups(LoadScopeScheduling):
    """xdist's scheduler, with the files that share a system as one group, and any other file as its own."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return next((group for place, group in SHARING.items() if file.startswith(place)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server.

    Those that look at the histories of all others come last.
    """
    for item in items:
        if isinstance(item, pytest.Function) and SERVERS.intersection(item.fixturenames):
            item.add_marker(pytest.mark.server)
    items.sort(key=lambda item: (item.get_closest_marker("last") is not None, _turn(item.nodeid)))


def _turn(nodeid: str) -> int:
    return next((turn for turn, place in enumerate(LONGEST) if nodeid.startswith(place)), len(LONGEST))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without a browser the console is not looked at; with TRIPS_BROWSER set it must be."""
    return True if collection_path == ROOT / "tests" / "browser" and chromium.is_left_out() else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    if chromium.is_left_out():
        terminalreporter.write_sep("=", f"tests/browser left out, no Chromium: {chromium.REMEDY}")
    if faketime.is_left_out():
        terminalreporter.write_sep("=", f"tests of wrong clocks left out, no libfaketime: {faketime.REMEDY}")
    if haproxy.PROGRAM is None:
        terminalreporter.write_sep("=", f"tests behind a proxy left out, {haproxy.REMEDY}")
    if pooler.PROGRAM is None:
        terminalreporter.write_sep("=", f"tests through a pooler left out, {pooler.REMEDY}")
    if prometheus.PROMTOOL is None:
        terminalreporter.write_sep("=", f"tests of alerts left out, {prometheus.REMEDY}")
