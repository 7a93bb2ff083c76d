"""An operator's day at the console, in a real browser against a real system."""

import re

from playwright.async_api import expect

from tests.browser.conftest import Open
from tests.conftest import RunningSystem
from trials.orders import order
from trials.traveller import Traveller
from trip.partner import Partner

MARKUP = "<img src=x onerror=\"document.title='broken in'\"> & <b>bold</b>"


async def test_a_trip_is_booked_and_watched_without_reloading(console: Open) -> None:
    desk = await console()
    await desk.sign_in()
    await desk.page.evaluate("window.sameDocument = true")
    trip_id = await desk.book()
    await desk.is_now("confirmed")
    for partner in Partner:
        await expect(desk.step(partner)).to_contain_text("confirmed")
    await expect(desk.step("hotel")).to_contain_text("54,000 JPY")
    await expect(desk.step("points")).to_contain_text("−5,000 JPY")
    log = desk.page.get_by_role("table", name="What happened")
    await expect(log.get_by_role("row")).not_to_have_count(0)
    history = desk.page.get_by_role("link", name="Its history")
    assert trip_id in (await history.get_attribute("href") or "")
    await desk.go("Trips")
    row = desk.page.get_by_role("row").filter(has_text=trip_id[-8:])
    await expect(row).to_contain_text("123,000 JPY")
    assert await desk.page.evaluate("window.sameDocument") is True


async def test_the_token_is_asked_for_and_stays_out_of_sight(console: Open, watched: RunningSystem) -> None:
    desk = await console()
    desk.watch.expected.add(401)
    await desk.open("#/breakers")
    for wrong in ("wrong", watched.tokens["operator"] + "x"):
        await desk.page.get_by_label("Token").fill(wrong)
        await desk.page.keyboard.press("Enter")
        await expect(desk.page.get_by_role("alert")).to_contain_text("not accepted")
    await desk.page.get_by_label("Token").fill(f"  {desk.token} ")
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.get_by_role("heading", level=1, name="Breakers")).to_be_visible()
    await desk.page.reload()
    await expect(desk.page.get_by_role("heading", level=1, name="Breakers")).to_be_visible()
    assert desk.token not in desk.page.url
    assert desk.token not in await desk.page.content()
    assert await desk.page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
    await desk.page.get_by_role("button", name="Sign out").click()
    await expect(desk.page.get_by_label("Token")).to_be_focused()
    assert await desk.page.evaluate("sessionStorage.length") == 0


async def test_a_token_that_is_revoked_brings_the_form_back(console: Open) -> None:
    desk = await console()
    desk.watch.expected.add(401)
    await desk.sign_in()
    await desk.page.route(
        "**/trips?*", lambda route: route.continue_(headers={"authorization": "Bearer gone"})
    )
    await expect(desk.page.get_by_role("alert")).to_contain_text("no longer")
    await expect(desk.page.get_by_label("Token")).to_be_focused()


async def test_what_was_done_stands_among_the_acts(console: Open, caller: Traveller) -> None:
    await caller.override_breaker("tour", None)
    status, _ = await caller.call("POST", "/trips/none/cancel")
    assert status == 404
    desk = await console()
    await desk.sign_in("#/acts")
    acts = desk.page.get_by_role("table", name="Acts").get_by_role("row")
    overruled = acts.filter(has_text="override breaker").filter(has_text="tour").first
    await expect(overruled).to_contain_text("operator")
    await expect(overruled).to_contain_text("done")
    await expect(acts.filter(has_text="cancel trip").filter(has_text="none").first).to_contain_text("refused")


async def test_a_traveller_sees_no_operators_business(console: Open) -> None:
    desk = await console("traveller")
    await desk.sign_in()
    views = desk.page.get_by_role("navigation", name="Views").get_by_role("link")
    await expect(views).to_have_text(["Trips", "Needs attention", "Book a trip"])


async def test_an_outage_opens_the_breaker_and_trips_are_undone(
    console: Open, caller: Traveller, whole: None
) -> None:
    desk = await console()
    await desk.sign_in()
    await desk.hurt("flight", "Answer 503", "holds")
    trip_id = await desk.book()
    # The flight's release waits for the breaker that the holds have opened.
    await desk.is_now("needs attention")
    await expect(desk.step("hotel")).to_contain_text("released")
    await expect(desk.page.get_by_role("table", name="What happened")).to_contain_text(
        "reserve, attempt 1: not answered"
    )
    await expect(desk.page.locator("svg .mark.unanswered").first).to_be_attached()
    await expect(desk.page.locator("svg.lane .wait").first).to_be_attached()

    await desk.go("Breakers")
    flight = desk.card("flight")
    await expect(flight).to_contain_text("open")
    await expect(flight.get_by_role("timer")).to_have_text(re.compile(r"^[01]:\d\d$"))
    await expect(flight).to_contain_text("Last error: answered 503")
    await desk.page.get_by_role("button", name="Hold closed the breaker of flight").click()
    await desk.answer(MARKUP, "Hold closed")
    await expect(flight).to_contain_text("held closed")
    await flight.get_by_text("Changes").click()
    await expect(flight.get_by_role("row").filter(has_text="override closed")).to_contain_text(MARKUP)
    assert "broken in" not in await desk.page.title()

    await desk.open(f"#/trips/{trip_id}")
    await desk.page.get_by_role("button", name="Retry the flight").click()
    await desk.is_now("failed")
    await expect(desk.step("flight")).to_contain_text("released")
    await desk.mend("flight")
    await desk.go("Breakers")
    await desk.page.get_by_role("button", name="Lift the breaker of flight").click()
    await desk.answer("it is well again", "Lift")
    await expect(flight.get_by_text("held closed")).to_be_hidden()
    await desk.book()
    await desk.is_now("confirmed")


async def test_a_stuck_release_is_tried_again_and_settled_by_hand(console: Open, whole: None) -> None:
    desk = await console()
    await desk.sign_in()
    await desk.hurt("flight", "Answer 503", "releases")
    trip_id = await desk.book("tok_declined")
    await desk.is_now("needs attention")
    await desk.go("Needs attention")
    stuck = desk.card(f"Trip {trip_id[-8:]}")
    await expect(stuck).to_contain_text("release failed after")
    await desk.page.get_by_role("button", name="Retry the flight").click()
    await expect(desk.page.locator("#spoken")).to_contain_text("being tried again")
    await desk.page.get_by_role("button", name="Resolve the flight by hand").click()
    await desk.answer(MARKUP, "It is released")
    await expect(stuck).to_be_hidden()
    await desk.open(f"#/trips/{trip_id}")
    await desk.is_now("failed")
    await expect(desk.step("flight")).to_contain_text("released")
    hand = desk.page.get_by_role("table", name="What was done")
    await expect(hand.get_by_role("row").last).to_contain_text(MARKUP)


async def test_a_step_that_is_not_stuck_says_so(console: Open, caller: Traveller, whole: None) -> None:
    desk = await console()
    desk.watch.expected.add(409)
    await desk.sign_in()
    await desk.hurt("tour", "Answer 503", "confirmations")
    await desk.book()
    await desk.is_now("needs attention")
    await desk.go("Needs attention")
    await expect(desk.page.get_by_role("button", name="Retry the tour")).to_be_visible()
    _, listed = await caller.call("GET", "/trips?status=needs_attention")
    # From now on the page does not learn that the step gets through by itself.
    await desk.page.route("**/trips?status=*", lambda route: route.fulfill(json=listed))
    await caller.mend_partner("tour")
    trip_id = listed["items"][0]["trip_id"]
    await caller.call("POST", f"/trips/{trip_id}/steps/tour/retry")
    await caller.until(trip_id, "confirmed")
    await desk.page.get_by_role("button", name="Retry the tour").click()
    await expect(desk.page.locator("#spoken")).to_have_text("the tour step does not need attention")


async def test_bad_input_is_shown_beside_its_field(console: Open) -> None:
    desk = await console()
    desk.watch.expected.add(422)
    await desk.sign_in("#/book")
    await desk.page.get_by_label("E-mail").fill("nobody")
    await desk.page.get_by_label("Rooms").fill("99")
    await desk.page.get_by_role("button", name="Book", exact=True).click()
    await expect(desk.page.get_by_label("E-mail")).to_be_focused()
    await expect(desk.page.get_by_label("Rooms")).to_have_attribute("aria-invalid", "true")
    await expect(desk.page.locator("[id='hotel.rooms-error']")).to_contain_text("20")
    await desk.page.get_by_label("E-mail").fill("ada@example.com")
    await desk.page.get_by_label("Rooms").fill("1")
    await desk.page.get_by_role("checkbox", name="Tour").uncheck()
    await desk.page.get_by_role("button", name="Book", exact=True).click()
    await desk.is_now("confirmed")
    await expect(desk.step("tour")).to_have_count(0)


async def test_trips_are_found_by_status_email_and_page(console: Open, caller: Traveller) -> None:
    mine = {"name": "Grace", "email": "grace@example.com"}
    booked = [await caller.book(order(traveller=mine, points=None)) for _ in range(3)]
    for trip in booked:
        await caller.until(trip["trip_id"], "confirmed")
    desk = await console()
    await desk.sign_in()
    rows = desk.page.get_by_role("row").filter(has=desk.page.get_by_role("link"))
    await desk.page.get_by_label("e-mail").fill(mine["email"])
    await desk.page.keyboard.press("Enter")
    await expect(rows).to_have_count(3)
    await expect(desk.page.get_by_label("e-mail")).to_be_focused()
    await desk.page.get_by_label("Status").select_option("failed")
    await expect(desk.page.get_by_text("No trips here")).to_be_visible()
    await desk.page.go_back()
    await expect(rows).to_have_count(3)
    await desk.page.route(
        "**/trips?*", lambda route: route.continue_(url=re.sub("limit=25", "limit=2", route.request.url))
    )
    await desk.page.get_by_role("link", name="Older").click()
    await expect(rows).to_have_count(1)
    await desk.page.get_by_role("link", name="Newest").click()
    await expect(rows).to_have_count(2)
