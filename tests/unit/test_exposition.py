"""The port on which a process says how it is."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from serving.exposition import exposed, figures_at

HOST = "127.0.0.1"


async def well() -> None:
    return None


async def ill() -> None:
    raise RuntimeError("no route to 10.0.0.7")


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_it_is_ready_if_all_checks_are_well(http: aiohttp.ClientSession) -> None:
    for checks, status in ({"a": well}, 200), ({"a": well, "b": ill}, 503):
        async with exposed(HOST, 0, checks) as port, http.get(f"http://{HOST}:{port}/readyz") as answer:
            assert answer.status == status
            told = (await answer.json())["dependencies"]
            assert told == {name: "no answer" if check is ill else "ok" for name, check in checks.items()}


async def test_it_is_alive_even_if_a_check_is_not(http: aiohttp.ClientSession) -> None:
    async with exposed(HOST, 0, {"b": ill}) as port, http.get(f"http://{HOST}:{port}/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_figures_from_elsewhere_are_added(http: aiohttp.ClientSession) -> None:
    async def more() -> bytes:
        return b"# TYPE of_the_library gauge\nof_the_library 3\n"

    async with (
        exposed(HOST, 0, {}, more) as library,
        exposed(HOST, 0, {}, figures_at(http, f"http://{HOST}:{library}")) as port,
        http.get(f"http://{HOST}:{port}/metrics") as answer,
    ):
        assert answer.headers["Content-Type"].startswith("text/plain")
        families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert {"process_cpu_seconds", "of_the_library"} <= families


async def test_figures_that_cannot_be_had_leave_the_others(http: aiohttp.ClientSession) -> None:
    more = figures_at(http, f"http://{HOST}:1")
    async with exposed(HOST, 0, {}, more) as port, http.get(f"http://{HOST}:{port}/metrics") as answer:
        assert "process_cpu_seconds_total" in await answer.text()
