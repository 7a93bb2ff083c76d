"""What the console shows of the messages of choreographed trips, and of those that were given up."""

import json
import re
import uuid
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from choreography.broker import Broker, connected
from tests.browser.conftest import Open
from tests.conftest import RunningSystem
from trip.partner import Partner


@pytest.fixture
async def broker(watched: RunningSystem) -> AsyncIterator[Broker]:
    """The broker of the system that the console shows."""
    async with connected(watched.nats, "tests") as broker:
        await broker.connection()
        yield broker


async def test_a_choreographed_trip_shows_who_told_whom(console: Open) -> None:
    desk = await console()
    await desk.sign_in("#/book")
    await desk.page.get_by_label("Coordination").select_option("choreography")
    trip_id = await desk.book()
    await desk.is_now("confirmed")
    await expect(desk.page.get_by_text("choreography", exact=True)).to_be_visible()
    await expect(desk.page.get_by_role("link", name="Its history")).to_have_count(0)
    messages = desk.page.get_by_role("table", name="Messages of the trip")
    for said in (
        r"trips requested hotel, tour, flight$",
        r"hotel held 54,000 JPY HOTEL-\w+ points, trips$",
        r"points held −5,000 JPY POINTS-\w+ payment, trips$",
        r"payment held 123,000 JPY PAY-\w+ trips$",
        r"trips bought payment$",
        r"payment captured PAY-\w+ hotel, tour, flight, points, trips$",
        r"hotel confirmed HOTEL-\w+ trips$",
    ):
        await expect(messages.get_by_role("row", name=re.compile(said))).to_have_count(1)
    first, last = messages.get_by_role("row").nth(1), messages.get_by_role("row").last
    await expect(first).to_have_accessible_name(re.compile("requested"))
    await expect(last).to_have_accessible_name(re.compile("confirmed"))
    for partner in Partner:
        await expect(desk.step(partner)).to_contain_text("confirmed")
    await desk.is_accessible()
    await desk.go("Trips")
    row = desk.page.get_by_role("row").filter(has_text=trip_id[-8:])
    await expect(row).to_contain_text("choreography")


async def test_a_dead_letter_is_replayed(console: Open, broker: Broker) -> None:
    trip_id = str(uuid.uuid4())
    body = json.dumps({"type": "trips.tried.v9", "subject": trip_id}).encode()
    await broker.publish("trips.tried.hotel", body, f"hotel/{trip_id}/1")
    desk = await console()
    await desk.sign_in()
    await desk.go("Dead letters")
    letter = desk.card(f"Trip {trip_id[-8:]}")
    await expect(letter).to_contain_text("trips.tried.hotel")
    await expect(letter).to_contain_text("Unreadable")
    await desk.is_accessible()
    await letter.get_by_role("button", name="Replay").click()
    await expect(desk.page.locator("#spoken")).to_contain_text("trips.tried.hotel is heard again")
    # Nobody can read it yet, so that what was heard again is a letter of its own.
    await expect(letter).to_contain_text(f"hotel/{trip_id}/1/r")
