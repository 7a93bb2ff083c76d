"""`python docs/pictures/take_screenshot.py` books the example trip on a system of its own and takes
temporal-ui.png: the trip in Temporal's UI, as an operator who has signed in sees it. Prints the trip.

Needs a Chromium, as tests/browser/chromium.py finds it.
"""

import asyncio
import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import FloatRect, Page, ViewportSize, async_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from stack.chosen import free_ports  # noqa: E402
from stack.runner import running, stop_event  # noqa: E402  after the path to it
from stack.system import System  # noqa: E402
from tests.browser.chromium import FLAGS, chromium  # noqa: E402
from tests.browser.console import decoding  # noqa: E402

PICTURE = HERE / "temporal-ui.png"
VIEW: ViewportSize = {"width": 1500, "height": 1500}
MENU_WIDTH = 256
HEADER_HEIGHT = 104
WAIT_S = 10
DRAWN_TIMEOUT_MS = 30_000


def order() -> dict[str, Any]:
    """The example trip, in ninety days."""
    first = datetime.now(UTC).date() + timedelta(days=90)
    check_out, tour_day = first + timedelta(days=3), first + timedelta(days=1)
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com", "member_id": "M-1001"},
        "hotel": {
            "hotel_id": "KYO-RYOKAN",
            "check_in": str(first),
            "check_out": str(check_out),
            "rooms": 1,
        },
        "tour": {"tour_id": "KYOTO-WALK", "date": str(tour_day), "seats": 2},
        "flight": {"flight_no": "NH847", "date": str(first), "seats": 2},
        "points": {"redeem": 5000},
        "payment": {"card_token": "tok_visa", "currency": "JPY"},
    }


async def booked(api: str, token: str) -> dict[str, Any]:
    """Book the trip; the trip, confirmed."""
    headers = {"Prefer": f"wait={WAIT_S}", "Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=WAIT_S + 5)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(f"{api}/trips", json=order(), headers=headers) as answer,
    ):
        trip: dict[str, Any] = await answer.json()
    if trip.get("status") != "confirmed":
        raise RuntimeError(f"the trip was not confirmed: {trip}")
    return trip


async def photograph(url: str, api: str, operator: str) -> None:
    """Take the picture of the page once its timeline is drawn."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            page = await browser.new_page(viewport=VIEW)
            await signed_in(page, api, operator)
            await page.goto(url, timeout=DRAWN_TIMEOUT_MS)
            await page.screenshot(path=PICTURE, clip=await _drawn(page))
        finally:
            await browser.close()


async def signed_in(page: Page, api: str, operator: str) -> None:
    """Give the browser the operator's cookie, and tell the UI to send it to the codec."""
    await page.goto(f"{api}/console", timeout=DRAWN_TIMEOUT_MS)
    await page.get_by_label("Token").fill(operator)
    async with page.expect_response(f"{api}/codec/session", timeout=DRAWN_TIMEOUT_MS):
        await page.get_by_role("button", name="Sign in").click()
    await decoding(page, api)


async def _drawn(page: Page) -> FloatRect:
    """Wait for the timeline, oldest first; what to show: all beside the menu, down to the timeline's end."""
    last = page.get_by_text("confirm_points").first
    await last.wait_for(timeout=DRAWN_TIMEOUT_MS)
    await page.get_by_role("button", name="Descending").click(timeout=DRAWN_TIMEOUT_MS)
    await page.get_by_role("button", name="Ascending").wait_for(timeout=DRAWN_TIMEOUT_MS)
    await last.wait_for(timeout=DRAWN_TIMEOUT_MS)
    box = await page.locator(".canvas").last.bounding_box(timeout=DRAWN_TIMEOUT_MS)
    if box is None:
        raise RuntimeError("the timeline is not on the page")
    height = min(box["y"] + box["height"], VIEW["height"]) - HEADER_HEIGHT
    width = VIEW["width"] - MENU_WIDTH
    return {"x": MENU_WIDTH, "y": HEADER_HEIGHT, "width": width, "height": height}


async def main() -> None:
    """Start a system, book, take the picture."""
    with tempfile.TemporaryDirectory(prefix="trips-picture-", ignore_cleanup_errors=True) as place:
        system = System(Path(place) / "data", free_ports())
        async with running(system, lambda _name, _line: None, stop_event()):
            api, tokens = system.url(system.ports.api_port), system.tokens()
            trip = await booked(api, tokens["traveller"])
            await photograph(trip["links"]["temporal_ui"], api, tokens["operator"])
    print(json.dumps(trip, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
