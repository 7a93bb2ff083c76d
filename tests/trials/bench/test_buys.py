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
    calm_figures,
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


def ends(statuses: Statuses) -> set[str]:
    """What is true of a trip whose reservations stand like this."""
    return ends_of(of_names(active_by_name(reservations("a", statuses)), {"a"}))


def test_a_seed_stands_for_the_same_trips_at_the_same_moments() -> None:
    trips = Plan(seed=1).rough_trips(TODAY)
    assert trips == Plan(seed=1).rough_trips(TODAY) != Plan(seed=2).rough_trips(TODAY)
    moments = [trip.at_s for trip in trips]
    assert moments == sorted(moments)
    assert moments[-1] < Plan.rough_s


def test_nothing_is_to_go_wrong_with_a_calm_trip() -> None:
    for trip in Plan(calm_s=20).calm_trips(TODAY):
        TripOrder.model_validate(trip.order)
        assert not (trip.is_resent or trip.is_declined)


def test_rough_trips_are_of_every_kind_and_each_has_a_name_of_its_own() -> None:
    trips = Plan().rough_trips(TODAY)
    assert {trip.order["when_partner_down"] for trip in trips} == {"wait", "fail"}
    assert any(trip.is_declined for trip in trips)
    assert any(trip.is_resent for trip in trips)
    assert len({trip.label for trip in trips}) == len(trips)


def test_a_variant_leaves_out_one_thing() -> None:
    first, *others = VARIANTS
    assert first.settings == {}
    for variant in others[:-2]:
        left_out = (variant.settings, not variant.breakers, variant.removed, variant.carrier != first.carrier)
        assert sum(map(bool, left_out)) == 1, variant.name
        assert variant.settings.keys() <= COMMON.keys()
    assert {variant.removed for variant in VARIANTS if variant.removed} == set(WITHOUT)
    assert set(page.BOUGHT) == {variant.name for variant in others[:-2]}


def test_nothing_is_left_of_a_trip_that_was_undone() -> None:
    assert ends({partner: [RELEASED, RELEASED] for partner in Partner}) == ends({}) == {"nothing"}


@pytest.mark.parametrize("missing", Partner)
@pytest.mark.parametrize("instead", [[], [HELD], [RELEASED]], ids=["nothing", "held", "released"])
def test_a_trip_that_lacks_a_step_is_half_booked(missing: Partner, instead: list[ReservationStatus]) -> None:
    charged = set() if missing is PAYMENT else {"charged_for_less"}
    assert ends({**WHOLE, missing: instead}) == {"half_booked"} | charged


@pytest.mark.parametrize("partner", Partner)
def test_a_step_that_is_left_held_under_another_key_is_held_twice(partner: Partner) -> None:
    assert ends({**WHOLE, partner: [HELD, CONFIRMED]}) == {"confirmed", "held_twice"}
    assert ends({**WHOLE, partner: [RELEASED, CONFIRMED]}) == {"confirmed"}


def test_only_captured_payments_are_charges() -> None:
    twice = {**WHOLE, PAYMENT: [CONFIRMED, CONFIRMED]}
    assert ends(twice) == {"confirmed", "held_twice", "charged_twice"}


def test_a_trip_that_was_accepted_twice_is_counted_under_both_names() -> None:
    one, other = reservations("a", WHOLE), reservations("b", WHOLE)
    by_name = active_by_name({partner: [*one[partner], *other[partner]] for partner in Partner})
    assert "charged_twice" in ends_of(of_names(by_name, ["a", "b"]))
    assert "charged_twice" not in ends_of(of_names(by_name, ["a", "c"]))


def booked(label: str, at: float, status: str, told_at: float | None, **order: Any) -> Booked:
    body = {"payment": {"card_token": "tok_visa"}, "when_partner_down": "wait"} | order
    return Booked(PlannedTrip(label, 0, body), at, status, told_at, {label})


def test_outcomes_are_the_partners_word_and_not_what_travellers_were_told() -> None:
    found = outcomes(
        [
            booked("a", 0, "confirmed", 1.0),
            booked("b", 0, "failed", 1.0),
            booked("c", 0, "cut", None, when_partner_down="fail"),
        ],
        {
            partner: [
                *reservations("b", WHOLE)[partner],
                *reservations("c", {Partner("hotel"): [HELD]}).get(partner, []),
            ]
            for partner in Partner
        },
    )
    assert found == {
        "trips": 3,
        "declined": 0,
        "confirmed": 1,
        "waiting": 2,
        "waiting_confirmed": 1,
        "nothing": 1,
        "half_booked": 1,
        "charged_for_less": 0,
        "held_twice": 0,
        "charged_twice": 0,
        "never_told": 1,
    }


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


def test_calm_figures_are_of_confirmed_trips() -> None:
    some = [booked("a", 0, "confirmed", 0.1), booked("b", 0, "confirmed", 0.3), booked("c", 0, "failed", 9.0)]
    groups = ("temporal", "worker", "api", "postgres", "partners")
    found = calm_figures(some, dict.fromkeys(groups, 0.3))
    assert found == {"trips": 3, "confirmed": 2, "p50_ms": 100, "p95_ms": 300, "cpu_ms": pytest.approx(400)}
