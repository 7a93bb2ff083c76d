"""The plan that all variants share, and how a trip is judged by its partners' stores."""

from collections.abc import Mapping
from typing import Any

import pytest

from audit.facts import SeenReservation
from trials.bench.buys import page
from trials.bench.buys.figures import (
    BETWEEN,
    Outage,
    active_by_name,
    ends_of,
    of_names,
    outcomes,
    sick_figures,
    times,
)
from trials.bench.buys.plan import Plan, PlannedTrip
from trials.bench.buys.travellers import Booked
from trials.bench.buys.variants import COMMON, VARIANTS
from trials.bench.buys.without import WITHOUT
from trials.orders import today
from trials.traveller import Received
from trip.order import TripOrder
from trip.partner import PAYMENT, Partner, ReservationStatus

TODAY = today()
HELD, CONFIRMED, RELEASED = (ReservationStatus.HELD, ReservationStatus.CONFIRMED, ReservationStatus.RELEASED)
WHOLE = {partner: [CONFIRMED] for partner in Partner}

HOTEL = Partner("hotel")

Statuses = Mapping[Partner, list[ReservationStatus]]


def reservations(name: str, statuses: Statuses) -> dict[Partner, list[SeenReservation]]:
    """A trip's reservations; all but the first at a partner have fresh keys."""
    return {
        partner: [
            SeenReservation(name if number == 0 else f"{name}{BETWEEN}{number}", status)
            for number, status in enumerate(some)
        ]
        for partner, some in statuses.items()
    }


def test_a_seed_stands_for_the_same_trips_at_the_same_moments() -> None:
    trips = Plan(seed=1).rough_trips(TODAY)
    assert trips == Plan(seed=1).rough_trips(TODAY) != Plan(seed=2).rough_trips(TODAY)
    assert {trip.order["when_partner_down"] for trip in trips} == {"wait", "fail"}
    assert any(trip.is_declined for trip in trips) and any(trip.is_resent for trip in trips)
    for trip in trips:
        TripOrder.model_validate(trip.order)


def test_a_variant_leaves_out_one_thing() -> None:
    first, *others = VARIANTS
    assert first.settings == {}
    for variant in others[:-2]:
        left_out = (variant.settings, not variant.breakers, variant.removed, variant.carrier != first.carrier)
        assert sum(map(bool, left_out)) == 1, variant.name
        assert variant.settings.keys() <= COMMON.keys()
    assert {variant.removed for variant in VARIANTS if variant.removed} == set(WITHOUT)
    assert set(page.BOUGHT) == {variant.name for variant in others[:-2]}


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        ({}, {"nothing"}),
        ({partner: [RELEASED, RELEASED] for partner in Partner}, {"nothing"}),
        (WHOLE, {"confirmed"}),
        (WHOLE | {HOTEL: []}, {"half_booked", "charged_for_less"}),
        (WHOLE | {HOTEL: [HELD]}, {"half_booked", "charged_for_less"}),
        (WHOLE | {HOTEL: [RELEASED]}, {"half_booked", "charged_for_less"}),
        (WHOLE | {PAYMENT: [HELD]}, {"half_booked"}),
        (WHOLE | {HOTEL: [HELD, CONFIRMED]}, {"confirmed", "held_twice"}),
        (WHOLE | {HOTEL: [RELEASED, CONFIRMED]}, {"confirmed"}),
        (WHOLE | {PAYMENT: [HELD, CONFIRMED]}, {"confirmed", "held_twice"}),
        (WHOLE | {PAYMENT: [CONFIRMED, CONFIRMED]}, {"confirmed", "held_twice", "charged_twice"}),
    ],
)
def test_how_a_trip_stands_at_its_partners(statuses: Statuses, found: set[str]) -> None:
    assert ends_of(of_names(active_by_name(reservations("a", statuses)), {"a"})) == found


def test_a_trip_that_was_accepted_twice_is_counted_under_both_names() -> None:
    one, other = reservations("a", WHOLE), reservations("b", WHOLE)
    by_name = active_by_name({partner: [*one[partner], *other[partner]] for partner in Partner})
    assert "charged_twice" in ends_of(of_names(by_name, ["a", "b"]))
    assert "charged_twice" not in ends_of(of_names(by_name, ["a", "c"]))


def booked(label: str, at: float, status: str, told_at: float | None, **order: Any) -> Booked:
    body = {"payment": {"card_token": "tok_visa"}, "when_partner_down": "wait"} | order
    return Booked(PlannedTrip(label, 0, body), at, status, told_at, {label})


def test_outcomes_are_the_partners_word_and_not_what_travellers_were_told() -> None:
    told = [booked("a", 0, "confirmed", 1.0), booked("b", 0, "failed", 1.0)]
    told.append(booked("c", 0, "cut", None, when_partner_down="fail"))
    stands = reservations("b", WHOLE)
    stands[HOTEL] += reservations("c", {HOTEL: [HELD]})[HOTEL]
    found = outcomes(told, stands)
    wrong = {"half_booked": 1, "never_told": 1, "charged_for_less": 0, "held_twice": 0, "charged_twice": 0}
    right = {"trips": 3, "declined": 0, "confirmed": 1, "waiting": 2, "waiting_confirmed": 1, "nothing": 1}
    assert found == right | wrong


def test_times_are_those_of_trips_booked_in_the_outage() -> None:
    found = times(
        [
            booked("before", 9, "failed", 50.0),
            booked("quick", 11, "failed", 12.0),
            booked("slow", 12, "failed", 15.0),
            booked("waits", 19, "confirmed", 27.5),
            booked("lost", 19, "cut", None),
            booked("after", 20, "failed", 60.0),
        ],
        Outage(10, 20),
    )
    assert found == {"no_p50_s": 1.0, "backlog_s": 7.5}
    assert times([], Outage(10, 20)) == {"no_p50_s": None, "backlog_s": None}


def test_the_sick_partner_serves_again_with_the_first_hold_that_it_answers() -> None:
    calls = [
        Received(9.0, "PUT", "a", "201"),
        Received(10.0, "PUT", "a", "dropped"),
        Received(10.05, "PUT", "a", "dropped"),
        Received(20.5, "DELETE", "a", "200"),
        Received(20.6, "PUT", "a", "503"),
        Received(21.0, "PUT", "a", "201"),
    ]
    found = sick_figures(calls, Outage(10, 20), after_s=5)
    assert (found["calls_while_down"], found["busiest"], found["serves_after_s"]) == (2, 2, 1.0)
    assert sick_figures(calls[:3], Outage(10, 20), after_s=5)["serves_after_s"] is None
