"""A system whose breakers open quickly, and a browser."""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.chromium import FLAGS, NoBrowser, chromium
from tests.browser.console import TELL_VIOLATIONS, Console, Watch
from tests.conftest import RunningSystem, running_system
from tests.patience import PATIENCE_S
from trials.traveller import Traveller
from trip.partner import Partner

PICTURES = "TRIPS_PICTURES"
ENVIRONMENT = {
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "4",
    "TRIPS_BREAKER_OPEN_S": "60",
    "TRIPS_RETRY_BASE_S": "0.1",
    "TRIPS_RETRY_CAP_S": "0.5",
    "TRIPS_PROBE_INTERVAL_S": "3600",
    "TRIPS_ATTENTION_S": "2",
}

Open = Callable[..., Awaitable[Console]]


@pytest.fixture(scope="session")
def watched() -> Iterator[RunningSystem]:
    """The system that the console shows."""
    with (
        tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", ENVIRONMENT) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def caller(watched: RunningSystem, http: aiohttp.ClientSession) -> Traveller:
    """Calls to that system beside the console."""
    return watched.traveller(http)


@pytest.fixture
async def whole(caller: Traveller) -> AsyncIterator[None]:
    """The system is whole again after the test: no faults, no overrides, no breaker open."""
    yield
    for partner in Partner:
        await caller.mend_partner(partner)
        await caller.override_breaker(partner, "closed")
        await caller.override_breaker(partner, None)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser that all tests share, each in a profile of its own."""
    try:
        program = chromium()
    except NoBrowser as error:
        pytest.fail(str(error))
    expect.set_options(timeout=1000 * PATIENCE_S)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        await started.close()


@pytest.fixture
async def console(browser: Browser, watched: RunningSystem) -> AsyncIterator[Open]:
    """Opens the console in a profile of its own; at the end none of them may have done anything wrong."""
    watches: list[Watch] = []

    async with AsyncExitStack() as profiles:

        async def opened(scope: str = "operator", **options: Any) -> Console:
            profile = await browser.new_context(locale="en-GB", **options)
            profile.set_default_timeout(1000 * PATIENCE_S)
            profiles.push_async_callback(profile.close)
            await profile.add_init_script(TELL_VIOLATIONS)
            page = await profile.new_page()
            watch = Watch(watched.api.removeprefix("http://"))
            watch.over(page)
            watches.append(watch)
            return Console(page, watched.api, watched.tokens[scope], watch)

        yield opened
        assert [wrong for watch in watches for wrong in watch.wrong] == []


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where pictures go: the directory that TRIPS_PICTURES names. Without it none are taken."""
    named = os.environ.get(PICTURES)
    if not named:
        return None
    place = Path(named)
    place.mkdir(parents=True, exist_ok=True)
    return place
