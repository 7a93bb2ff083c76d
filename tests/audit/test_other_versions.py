"""Rows that another version has written are read as far as they are judged."""

import copy
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from audit.facts import Facts
from audit.judge import judge
from audit.record import ReadTrips, collect
from tests.audit.hand_made import BOOKED, DAY, GOING, found, sound
from trip.trip import TripStatus

Row = dict[str, Any]
Change = Callable[[Row], None]

ORDER = {
    "traveller": {"name": "Ada", "email": "ada@example.com", "member_id": "M-1001"},
    "flight": {"flight_no": "NH847", "date": str(DAY), "seats": 2},
    "hotel": None,
    "points": {"redeem": 5000},
    "payment": {"card_token": "gone", "currency": "JPY"},
    "deadline_s": 300,
}


def row_of(facts: Facts, trip_id: str) -> Row:
    """The row of a trip that was made by hand."""
    trip = facts.trips[trip_id]
    return {
        "trip_id": trip_id,
        "status": str(trip.status),
        "version": trip.version,
        "created_at": trip.accepted_at,
        "updated_at": trip.updated_at,
        "started": trip.started,
        "coordination": "orchestration",
        "decided_at": None,
        "ordered": copy.deepcopy(ORDER),
        "trip": {
            "status": str(trip.status),
            "steps": [
                {"name": partner.value, "status": str(step.status)}
                | {"reference": step.reference, "amount_minor": step.amount_minor}
                for partner, step in trip.steps.items()
            ],
            "total": {"amount_minor": trip.total_minor, "currency": trip.currency},
        },
    }


async def read(*rows: Mapping[str, Any]) -> ReadTrips:
    async def pages() -> AsyncIterator[Any]:
        for row in rows:
            yield row

    into = ReadTrips()
    await collect(pages(), into)
    return into


async def with_row(change: Change) -> Facts:
    """Facts that are right but for a change of the row of the confirmed trip."""
    facts = sound()
    row = row_of(facts, BOOKED)
    change(row)
    kept = await read(row)
    return replace(
        facts,
        trips={**facts.trips, **kept.trips},
        unreadable=kept.unreadable,
        versions={**facts.versions, BOOKED: (row["status"], row["version"])},
    )


def more_fields(row: Row) -> None:
    row["trip"] |= {"risk": 3, "interventions": [{"action": "annul"}], "failure": {"step": "visa"}}
    row["trip"]["total"]["tax_minor"] = 0
    row["trip"]["steps"][0]["rating"] = 5
    row["ordered"] |= {"insurance": "none", "when_partner_down": "ask"}
    row["ordered"]["flight"]["meal"] = "none"
    row["ordered"]["traveller"]["phone"] = "+81 3"


def fewer_fields(row: Row) -> None:
    del row["ordered"]["deadline_s"], row["ordered"]["hotel"]


def another_part(row: Row) -> None:
    row["ordered"]["cruise"] = {"ship": "Asuka"}
    row["trip"]["steps"].append({"name": "cruise", "status": "boarded", "amount_minor": 1000})
    row["trip"]["steps"][-2]["amount_minor"] += 1000
    row["trip"]["total"]["amount_minor"] += 1000


def another_status(row: Row) -> None:
    row["status"] = row["trip"]["status"] = "refunded"


def another_step_status(row: Row) -> None:
    row["trip"]["steps"][0]["status"] = "upgraded"


async def test_the_row_is_that_of_the_trip() -> None:
    facts = sound()
    kept = await read(row_of(facts, BOOKED))
    assert (kept.trips[BOOKED], kept.unreadable) == (facts.trips[BOOKED], {})


@pytest.mark.parametrize("change", [more_fields, fewer_fields])
async def test_what_is_unknown_or_missing_does_not_matter(change: Change) -> None:
    facts = await with_row(change)
    assert found(facts) == set()
    assert BOOKED in {trip.trip_id for trip in facts.settled}


async def test_a_part_that_is_unknown_here_counts_in_the_total() -> None:
    facts = await with_row(another_part)
    # The payment is not what it was, and nothing else is wrong.
    assert found(facts) == {("part_differs", BOOKED)}


@pytest.mark.parametrize("change", [another_status, another_step_status])
async def test_a_trip_with_a_status_that_is_unknown_here_is_not_judged(change: Change) -> None:
    facts = await with_row(change)
    assert found(facts) == set()
    assert judge(facts).in_flight == {BOOKED, GOING}


async def test_two_statuses_are_wrong_in_any_version() -> None:
    facts = await with_row(lambda row: row["trip"].update(status="refunded"))
    assert found(facts) == {("record_unsound", BOOKED)}
    assert facts.trips[BOOKED].status == TripStatus.CONFIRMED


@pytest.mark.parametrize(
    "tear",
    [
        lambda row: row.update(ordered=None),
        lambda row: row["trip"].pop("steps"),
        lambda row: row["trip"]["steps"][0].update(status=None),
        lambda row: row["ordered"]["flight"].update(seats="two"),
    ],
)
async def test_a_torn_row_is_unreadable(tear: Change) -> None:
    facts = await with_row(tear)
    assert set(facts.unreadable) == {BOOKED}
