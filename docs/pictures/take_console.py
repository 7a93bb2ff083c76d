"""`python docs/pictures/take_console.py` books trips on a system of its own and takes the console's pictures:
console-trips.png, console-trip.png and console-phone.png.

Needs a Chromium, as tests/browser/chromium.py finds it.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Literal

import aiohttp
from playwright.async_api import Browser, ViewportSize, async_playwright, expect

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.browser.chromium import FLAGS, chromium  # noqa: E402  after the path to it
from tests.browser.console import Console, Watch  # noqa: E402
from tests.conftest import RunningSystem, running_system  # noqa: E402
from trials.orders import order  # noqa: E402
from trials.traveller import Traveller  # noqa: E402

ENVIRONMENT = {"TRIPS_RETRY_JITTER": "none", "TRIPS_PROBE_INTERVAL_S": "3600", "TRIPS_ATTENTION_S": "3"}
DESK: ViewportSize = {"width": 1180, "height": 620}
TALL: ViewportSize = {"width": 1180, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 720}
Scheme = Literal["light", "dark"]
CALL_TIMEOUT = aiohttp.ClientTimeout(total=70)


async def booked(caller: Traveller) -> str:
    """Trips of every kind; the id of the one whose flight answered at its fourth attempt."""
    for card in ("tok_visa", "tok_declined", "tok_visa"):
        trip = await caller.book(order(payment={"card_token": card, "currency": "JPY"}), wait=30)
    await caller.book(order(points=None), wait=30)
    await caller.break_partner("flight", error_rate=1, status=503, count=3)
    trip = await caller.book(order())
    await caller.until(trip["trip_id"], "confirmed")
    await caller.break_partner("tour", error_rate=1, status=503, verbs=["DELETE"])
    stuck = await caller.book(order(payment={"card_token": "tok_declined", "currency": "JPY"}))
    await caller.until(stuck["trip_id"], "needs_attention")
    await caller.book(order(payment={"card_token": "tok_slow", "currency": "JPY"}))
    return str(trip["trip_id"])


async def opened(browser: Browser, system: RunningSystem, scheme: Scheme, size: ViewportSize) -> Console:
    """The console, signed in."""
    page = await browser.new_page(locale="en-GB", color_scheme=scheme, viewport=size)
    host = system.api.removeprefix("http://")
    console = Console(page, system.api, system.tokens["operator"], Watch(host))
    await console.sign_in()
    return console


async def photograph(browser: Browser, system: RunningSystem, trip_id: str) -> None:
    """Take the three pictures."""
    desk = await opened(browser, system, "light", DESK)
    await expect(desk.page.get_by_role("row")).to_have_count(8)
    await desk.picture(HERE, "console-trips")
    tall = await opened(browser, system, "dark", TALL)
    await tall.open(f"#/trips/{trip_id}")
    await tall.is_now("confirmed")
    await expect(tall.page.locator("svg.lane .mark")).to_have_count(3)
    await tall.picture(HERE, "console-trip")
    phone = await opened(browser, system, "light", PHONE)
    await phone.go("Needs attention")
    await expect(phone.page.get_by_role("button", name="Resolve")).to_be_visible()
    await phone.picture(HERE, "console-phone")


async def main() -> None:
    """Start a system, book, take the pictures."""
    with (
        tempfile.TemporaryDirectory(prefix="trips-picture-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", ENVIRONMENT) as system,
    ):
        async with aiohttp.ClientSession(timeout=CALL_TIMEOUT) as http, async_playwright() as playwright:
            trip_id = await booked(system.traveller(http))
            browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            await photograph(browser, system, trip_id)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
