"""Whole trips whose partners twist their answers: none ends in contradiction to the partners' stores."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from audit.run import audit
from tests.answers.middle import Call, Middle, opened_middle
from tests.answers.twists import (
    CONFIRM,
    HOLD,
    LONG,
    RELEASE,
    Sent,
    Twist,
    amount,
    fields,
    headers,
    refusal,
    status,
    without,
)
from tests.patience import PATIENCE_S
from trials.orders import PARTNERS, Json, bench_order
from trials.polling import until
from trials.world import Ground
from trip.partner import PARTNER_ANSWER_INVALID as INVALID
from trip.partner import PARTNER_REFUSED as REFUSED
from trip.partner import PARTNER_UNAVAILABLE as UNAVAILABLE
from trip.partner import Verb

pytestmark = pytest.mark.server

BESIDE = 5
"""Trips that meet no twist, beside those that do."""
AT_ONCE = 5
SOON_S = 20.0


@pytest.fixture(scope="module")
async def opened() -> AsyncIterator[tuple[Ground, Middle]]:
    async with opened_middle() as opened:
        yield opened


def soon(sent: Sent) -> Sent:
    """A hold that ends in a second."""
    return fields(expires_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())(sent)


def page(_sent: Sent) -> Sent:
    return Sent(200, b"<html>Sign in</html>", {"Set-Cookie": "a=b"})


@dataclass(frozen=True)
class Case:
    """A trip that is undone, and why."""

    call: Call
    twist: Twist
    code: str
    declined: bool = False


UNDONE: dict[str, Case] = {
    "hotel in euros": Case(("hotel", HOLD), fields(currency="EUR"), INVALID),
    "hotel under another key": Case(("hotel", HOLD), fields(key="another"), INVALID),
    "tour released": Case(("tour", HOLD), fields(status="released"), INVALID),
    "flight for nothing known": Case(("flight", HOLD), fields(amount_minor=None), INVALID),
    "flight pays the traveller": Case(("flight", HOLD), amount(lambda was: -was), INVALID),
    "flight at true": Case(("flight", HOLD), fields(amount_minor=True), INVALID),
    "flight at text": Case(("flight", HOLD), fields(amount_minor="77"), INVALID),
    "hotel beyond all bounds": Case(("hotel", HOLD), fields(amount_minor=10**400), INVALID),
    "points for more": Case(("points", HOLD), amount(lambda was: was - 1), INVALID),
    "points that cost": Case(("points", HOLD), amount(lambda was: -was), INVALID),
    "payment of less": Case(("payment", HOLD), amount(lambda was: was - 1), INVALID),
    "payment of more": Case(("payment", HOLD), amount(lambda was: was + 1), INVALID),
    "tour of 2020": Case(("tour", HOLD), fields(expires_at="2020-01-01T00:00:00Z"), INVALID),
    "reference with NUL": Case(("tour", HOLD), fields(reference="R\0"), INVALID),
    "no reference": Case(("payment", HOLD), without("reference"), INVALID),
    "a login page": Case(("hotel", HOLD), page, INVALID),
    "no content": Case(("points", HOLD), lambda sent: Sent(204, b""), INVALID),
    "a redirect": Case(("flight", HOLD), status(307, Location="/reservations/x"), UNAVAILABLE),
    "401 of a gateway": Case(("payment", HOLD), refusal(401, "declined"), UNAVAILABLE),
    "NUL and much to say": Case(("tour", HOLD), refusal(503, detail="\0" + "x" * LONG), UNAVAILABLE),
    "refused with NUL": Case(("tour", HOLD), refusal(409, "sold_out", "\0" + "x" * LONG), "sold_out"),
    "422 without a code": Case(("hotel", HOLD), refusal(422), REFUSED),
    "ends too soon": Case(("hotel", HOLD), soon, "expired"),
    "confirmation of a key never seen": Case(("tour", CONFIRM), refusal(404, "unknown_key"), REFUSED),
    "confirmation expired": Case(("flight", CONFIRM), refusal(409, "expired"), "expired"),
    "release in euros": Case(("hotel", RELEASE), fields(currency="EUR"), "declined", declined=True),
}

ATTENTION: dict[str, Case] = {
    "confirmation held": Case(("tour", CONFIRM), fields(status="held"), ""),
    "confirmation of another price": Case(("hotel", CONFIRM), amount(lambda was: was + 1), ""),
    "confirmation in euros": Case(("flight", CONFIRM), fields(currency="EUR"), ""),
    "captured less": Case(("payment", CONFIRM), amount(lambda was: was - 1), ""),
    "captured under another key": Case(("payment", CONFIRM), fields(key="another"), ""),
    "points confirmed for true": Case(("points", CONFIRM), fields(amount_minor=True), ""),
    "release confirmed": Case(("hotel", RELEASE), fields(status="confirmed"), "declined", declined=True),
    "release of another key": Case(("points", RELEASE), fields(key="another"), "declined", declined=True),
    "release 404": Case(("tour", RELEASE), refusal(404, "unknown_key"), "declined", declined=True),
}
"""Trips of which a confirmation or a release does not get through until the partner is honest again."""


async def booked(opened: tuple[Ground, Middle], twists: dict[Call, Twist], **order: Any) -> str:
    ground, middle = opened
    trip = await ground.traveller.book(bench_order(**order))
    middle.tell(trip["trip_id"], twists)
    return str(trip["trip_id"])


async def case_booked(opened: tuple[Ground, Middle], case: Case) -> str:
    card = "tok_declined" if case.declined else "tok_visa"
    return await booked(opened, {case.call: case.twist}, card_token=card)


async def stands(ground: Ground, trip: Json) -> dict[str, str | None]:
    """Where the trip's reservations stand in the partners' own stores."""
    found = {name: await ground.traveller.reservation(name, trip["trip_id"]) for name in PARTNERS}
    return {name: one["status"] if one else None for name, one in found.items()}


async def agrees(ground: Ground, trip: Json) -> None:
    """What the trip says of its end is what the stores say."""
    found = set((await stands(ground, trip)).values())
    if trip["status"] == "confirmed":
        assert found == {"confirmed"}, trip
        *parts, paid = (step["amount_minor"] for step in trip["steps"])
        assert sum(parts) == trip["total"]["amount_minor"] == paid
    else:
        assert not found & {"held", "confirmed"}, trip


def step(trip: Json, name: str) -> Json:
    found: Json = next(one for one in trip["steps"] if one["name"] == name)
    return found


async def test_trips_that_are_undone(opened: tuple[Ground, Middle]) -> None:
    ground, middle = opened
    ids: dict[str, str] = {}
    beside: list[str] = []
    # All at once would have attempts cut off, which are no answer and hide the twisted one.
    while few := list(UNDONE)[len(ids) : len(ids) + AT_ONCE]:
        ids |= {name: await case_booked(opened, UNDONE[name]) for name in few}
        beside.append(await booked(opened, {}))
        for name in few:
            await ground.traveller.until(ids[name])
    for trip_id in beside:
        trip = await ground.traveller.until(trip_id)
        assert trip["status"] == "confirmed", trip
        await agrees(ground, trip)
    for name, trip_id in ids.items():
        trip = await ground.traveller.until(trip_id)
        assert (trip["status"], trip["failure"]["code"]) == ("failed", UNDONE[name].code), (name, trip)
        assert trip["failure"]["message"].isprintable() and len(trip["failure"]["message"]) <= 300
        await agrees(ground, trip)
        events = [event.trip async for event in ground.traveller.events(trip_id)]
        assert events[-1] == trip, name
    assert (ids["ends too soon"], "payment", CONFIRM) not in middle.calls


async def test_trips_that_need_attention(opened: tuple[Ground, Middle]) -> None:
    ground, middle = opened
    ids = {name: await case_booked(opened, case) for name, case in ATTENTION.items()}
    for name, trip_id in ids.items():
        trip = await ground.traveller.until(trip_id, "needs_attention")
        partner, verb = ATTENTION[name].call
        code = UNAVAILABLE if name == "release 404" else INVALID
        assert step(trip, partner)["error"]["code"] == code, (name, trip)
        middle.tell(trip_id, {})
        trip = await ground.traveller.until(trip_id)
        assert trip["status"] == ("confirmed" if verb is CONFIRM else "failed"), name
        await agrees(ground, trip)


async def test_a_new_reference_and_what_costs_nothing(opened: tuple[Ground, Middle]) -> None:
    ground, middle = opened
    free = fields(amount_minor=0)
    another = await booked(opened, {("tour", CONFIRM): fields(reference="ANOTHER")})
    nothing = await booked(opened, {("hotel", HOLD): free, ("hotel", CONFIRM): free}, tour=None, flight=None)
    cookies = await booked(opened, {("hotel", verb): headers(Set_Cookie="a=b") for verb in Verb})
    trips = {trip_id: await ground.traveller.until(trip_id) for trip_id in (another, nothing, cookies)}
    assert {trip["status"] for trip in trips.values()} == {"confirmed"}
    assert step(trips[another], "tour")["reference"] == "ANOTHER"
    steps = trips[nothing]["steps"]
    assert [(one["name"], one["amount_minor"], one["status"]) for one in steps] == [
        (name, 0, "confirmed") for name in ("hotel", "points", "payment")
    ]
    assert await stands(ground, trips[nothing]) == {
        **dict.fromkeys(PARTNERS),
        "hotel": "confirmed",
    }
    assert {partner for key, partner, _ in middle.calls if key == nothing} == {"hotel"}


async def test_a_cancelled_trip_whose_hold_is_unusable(opened: tuple[Ground, Middle]) -> None:
    ground, middle = opened
    middle.hangs_s["payment"] = 2
    try:
        trip_id = await booked(opened, {("payment", HOLD): fields(currency="EUR")})
        await until(lambda: sent(middle, trip_id, "payment"))
        answered, trip = await ground.traveller.call("POST", f"/trips/{trip_id}/cancel")
        assert answered == 202, trip
    finally:
        middle.hangs_s.clear()
    trip = await ground.traveller.until(trip_id)
    assert trip["status"] == "cancelled"
    await agrees(ground, trip)


async def sent(middle: Middle, trip_id: str, partner: str) -> bool:
    """Whether the trip's hold has reached the partner."""
    return (trip_id, partner, HOLD) in middle.calls


async def test_nul_in_an_old_event_stops_no_stream(opened: tuple[Ground, Middle]) -> None:
    """Such events may be in the record from before they were kept out of it."""
    ground, _ = opened
    spoilt, beside = [await booked(opened, {}) for _ in range(2)]
    for trip_id in (spoilt, beside):
        await ground.traveller.until(trip_id)
    connection = await asyncpg.connect(ground.world.database_url, timeout=PATIENCE_S)
    try:
        nul = r"""update trip_events set trip = replace(trip::text, '"/trips/', '"\u0000/trips/')::json"""
        await connection.execute(f"{nul} where trip_id = $1", spoilt, timeout=PATIENCE_S)
    finally:
        await connection.close(timeout=PATIENCE_S)
    async with asyncio.timeout(SOON_S):
        for trip_id in (spoilt, beside):
            events = [event.trip async for event in ground.traveller.events(trip_id)]
            assert events[-1]["status"] == "confirmed"


async def test_a_slow_partner_holds_up_no_other(opened: tuple[Ground, Middle]) -> None:
    ground, middle = opened
    middle.hangs_s["flight"] = 30
    try:
        slow = [await booked(opened, {}, deadline_s=3) for _ in range(60)]
        started = time.monotonic()
        beside = [await booked(opened, {}, flight=None) for _ in range(BESIDE)]
        trips = [await ground.traveller.until(trip_id) for trip_id in beside]
        assert {trip["status"] for trip in trips} == {"confirmed"}
        assert time.monotonic() - started < SOON_S
    finally:
        middle.hangs_s.clear()
    ended = await asyncio.gather(*(ground.traveller.until(trip_id) for trip_id in slow))
    for trip in ended:
        await agrees(ground, trip)


async def test_a_note_with_control_characters_is_refused(opened: tuple[Ground, Middle]) -> None:
    ground, _ = opened
    path = "/trips/none/steps/hotel/resolve"
    refused, answer = await ground.traveller.call("POST", path, json={"note": "a\0b"})
    assert (refused, answer["errors"][0]["field"]) == (422, "note")


async def test_the_audit_agrees_in_the_end(opened: tuple[Ground, Middle]) -> None:
    """All but the two trips whose partners told the saga something else than they keep."""
    ground, _ = opened
    report = await audit(ground.world.endpoints(), pause_s=0.1)
    assert [found.code for found in report.discrepancies] == ["part_differs"] * 2, report.discrepancies
