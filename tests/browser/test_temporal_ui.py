"""Temporal's UI shows what is encrypted to an operator's browser, and to no other."""

from playwright.async_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.console import decoding
from tests.conftest import RunningSystem

EMAIL = "ada@example.com"
REFUSED = "Codec Server could not connect"


async def history(page: Page, watched: RunningSystem, trip_id: str) -> None:
    """Open the trip's history."""
    await decoding(page, watched.api)
    await page.goto(f"{watched.temporal_ui}/namespaces/default/workflows/{trip_id}")


async def test_an_operator_who_has_signed_in_reads_the_order(console: Open, watched: RunningSystem) -> None:
    desk = await console()
    await desk.sign_in()
    trip_id = await desk.book()
    await desk.is_now("confirmed")
    page = await desk.page.context.new_page()
    await history(page, watched, trip_id)
    await expect(page.get_by_text(EMAIL).first).to_be_visible()
    await desk.page.get_by_role("button", name="Sign out").click()
    await expect(desk.page.get_by_label("Token")).to_be_focused()
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text(REFUSED)
    await expect(page.get_by_text(EMAIL)).to_have_count(0)


async def test_a_traveller_who_has_signed_in_does_not(console: Open, watched: RunningSystem) -> None:
    desk = await console("traveller")
    await desk.sign_in()
    trip_id = await desk.book()
    await desk.is_now("confirmed")
    page = await desk.page.context.new_page()
    await history(page, watched, trip_id)
    await expect(page.get_by_role("alert")).to_contain_text(REFUSED)
    await expect(page.get_by_text(EMAIL)).to_have_count(0)
