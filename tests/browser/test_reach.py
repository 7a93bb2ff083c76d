"""The console for those who use a keyboard, a screen reader, a phone, or a dark room; and in bad weather."""

import os
import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.conftest import RunningSystem
from trials.orders import order
from trials.traveller import Traveller

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}
VIEWS = ("Trips", "Needs attention", "Breakers", "Dead letters", "Lab", "Acts", "Book a trip")
MOST_TABS = 60
FOCUSED = """(() => {
    const element = document.activeElement;
    return [element.localName, getComputedStyle(element).outlineStyle, element.textContent.trim()];
})()"""


async def tab_to(page: Page, text: str) -> None:
    """Press Tab until what is focused has this text; each stop on the way shows that it is focused."""
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        name, outline, said = await page.evaluate(FOCUSED)
        if name == "body":  # past the last stop; the browser's own come between
            continue
        assert outline != "none", f"{name} {said!r} does not show that it is focused"
        if said.startswith(text):
            return
    raise AssertionError(f"{text!r} is not reached with the Tab key")


async def test_a_trip_is_cancelled_with_the_keyboard_alone(
    console: Open, caller: Traveller, whole: None
) -> None:
    await caller.break_partner("tour", latency_ms=20_000, verbs=["PUT"])
    trip_id = (await caller.book(order()))["trip_id"]
    desk = await console()
    keyboard = desk.page.keyboard
    await desk.open()
    await expect(desk.page.get_by_label("Token")).to_be_focused()
    await keyboard.type(desk.token)
    await keyboard.press("Enter")
    await expect(desk.page.get_by_role("link", name=trip_id[-8:])).to_be_visible()
    await tab_to(desk.page, trip_id[-8:])
    await keyboard.press("Enter")
    await expect(desk.page.get_by_role("button", name="Cancel the trip")).to_be_visible()
    await tab_to(desk.page, "Cancel the trip")
    await keyboard.press("Enter")
    await expect(desk.page.get_by_role("dialog")).to_be_visible()
    await keyboard.press("Escape")
    await expect(desk.page.get_by_role("dialog")).to_be_hidden()
    await expect(desk.page.get_by_role("button", name="Cancel the trip")).to_be_focused()
    await keyboard.press("Enter")
    await expect(desk.page.get_by_role("button", name="Leave it")).to_be_focused()
    await tab_to(desk.page, "Cancel the trip")
    await keyboard.press("Enter")
    await caller.mend_partner("tour")
    await desk.is_now("cancelled")


async def test_updates_leave_focus_and_typing_alone(console: Open, caller: Traveller) -> None:
    first = (await caller.book(order(points=None)))["trip_id"]
    desk = await console()
    await desk.sign_in()
    link = desk.page.get_by_role("link", name=first[-8:])
    await link.focus()
    await desk.page.get_by_label("e-mail").evaluate("(field) => { field.value = 'half a wo' }")
    second = (await caller.book(order(points=None)))["trip_id"]
    await expect(desk.page.get_by_role("row").filter(has_text=second[-8:])).to_contain_text("confirmed")
    await expect(link).to_be_focused()
    await expect(desk.page.get_by_label("e-mail")).to_have_value("half a wo")


async def prepared(caller: Traveller) -> str:
    """Something to see in each view: a stuck trip, an open breaker, a broken partner. The stuck trip's id."""
    await caller.break_partner("flight", error_rate=1, status=503, verbs=["DELETE"])
    declined = {"card_token": "tok_declined", "currency": "JPY"}
    trip = await caller.book(order(payment=declined))
    await caller.until(trip["trip_id"], "needs_attention")
    await caller.override_breaker("hotel", "open")
    return str(trip["trip_id"])


@pytest.mark.parametrize("kind", ["light-desk", "dark-phone"])
async def test_every_view_is_accessible(
    console: Open, caller: Traveller, whole: None, pictures: Path | None, kind: str
) -> None:
    stuck = await prepared(caller)
    scheme, size = kind.split("-")
    desk = await console(color_scheme=scheme, viewport=SIZES[size], reduced_motion="reduce")
    await desk.open()
    await looked_at(desk, pictures, f"{kind}-sign-in")
    await desk.sign_in()
    for view in VIEWS:
        await desk.go(view)
        await expect(desk.page.locator("main")).not_to_be_empty()
        if view == "Breakers":
            await desk.card("hotel").get_by_text("Changes").click()
        if view in ("Breakers", "Lab"):
            await expect(desk.card("flight")).to_be_visible()
        await looked_at(desk, pictures, f"{kind}-{view.lower().replace(' ', '-')}")
    await desk.open(f"#/trips/{stuck}")
    await desk.is_now("needs attention")
    await expect(desk.page.locator("svg .mark").first).to_be_attached()
    await looked_at(desk, pictures, f"{kind}-trip")
    await desk.page.get_by_role("button", name="Resolve the flight").click()
    await looked_at(desk, pictures, f"{kind}-dialog")


async def looked_at(desk: Console, pictures: Path | None, name: str) -> None:
    """The page as it stands is accessible and no wider than the window; a picture is kept if it is wanted."""
    await desk.is_accessible()
    too_wide = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert too_wide <= 0, f"{name} is {too_wide} pixels wider than the window"
    if pictures:
        await desk.picture(pictures, name)


async def test_a_front_door_that_dies_is_waited_for(
    console: Open, watched: RunningSystem, caller: Traveller, whole: None
) -> None:
    desk = await console()
    await desk.sign_in()
    await desk.hurt("tour", "Slow by 2 s", "holds")
    await desk.book()
    await expect(desk.step("tour")).to_contain_text("unknown")
    os.kill(watched.pid("api"), signal.SIGKILL)
    await desk.is_now("confirmed")
    await expect(desk.page.locator("#trouble")).to_be_empty()
    desk.watch.wrong = [wrong for wrong in desk.watch.wrong if "net::ERR_" not in wrong]
