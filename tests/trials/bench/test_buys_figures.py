"""The plan that all variants share, how a trip is judged by its partners' stores, and the tables of it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.facts import SeenReservation
from tests.conftest import ROOT
from trials.bench.buys import pictures, tables
from trials.bench.buys.booking import Booked
from trials.bench.buys.figures import calm_figures, outcomes, sick_figures, times
from trials.bench.buys.plan import QUICK, Plan, PlannedTrip, is_declined
from trials.bench.buys.stores import Call
from trials.bench.buys.variants import COMMON, VARIANTS
from trials.bench.buys.verdict import BETWEEN, active_by_name, judged, name_of, of_names
from trials.bench.buys.weather import Outage
from trials.bench.buys.without import WITHOUT
from trials.bench.contest.tables import filled
from trip.order import TripOrder
from trip.partner import Partner, ReservationStatus

TODAY = date(2026, 11, 24)
HELD, CONFIRMED, RELEASED = (
    ReservationStatus.HELD,
    ReservationStatus.CONFIRMED,
    ReservationStatus.RELEASED,
)
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


def verdicts(statuses: Statuses) -> set[str]:
    """What is true of a trip whose reservations stand like this."""
    held = of_names(active_by_name(reservations("a", statuses)), {"a"})
    return {name for name, is_so in judged(held)._asdict().items() if is_so}


@given(st.integers(0, 1000))
def test_a_seed_stands_for_the_same_trips_at_the_same_moments(seed: int) -> None:
    plan, same = Plan(seed=seed), Plan(seed=seed)
    assert plan.rough_trips(TODAY) == same.rough_trips(TODAY)
    assert plan.rough_trips(TODAY) != Plan(seed=seed + 1).rough_trips(TODAY)
    moments = [trip.at_s for trip in plan.rough_trips(TODAY)]
    assert moments == sorted(moments)
    assert moments[-1] < plan.rough_s


def test_nothing_is_to_go_wrong_with_a_calm_trip() -> None:
    for trip in Plan(calm_s=200).calm_trips(TODAY):
        TripOrder.model_validate(trip.order)
        assert not (trip.is_resent or is_declined(trip))


def test_rough_trips_are_of_every_kind_and_each_has_a_name_of_its_own() -> None:
    trips = Plan().rough_trips(TODAY)
    assert {trip.order["when_partner_down"] for trip in trips} == {"wait", "fail"}
    assert any(map(is_declined, trips))
    assert any(trip.is_resent for trip in trips)
    assert len({trip.label for trip in trips}) == len(trips)


@pytest.mark.parametrize("plan", [Plan(), QUICK], ids=["full", "quick"])
def test_the_outage_and_the_kill_are_within_the_rough_phase(plan: Plan) -> None:
    assert 0 < plan.down_s < plan.up_s < plan.kill_s < plan.rough_s


def test_a_variant_leaves_out_one_thing() -> None:
    first, *others = VARIANTS
    assert first.settings == {}
    for variant in others[:-2]:
        left_out = (variant.settings, not variant.breakers, variant.removed, variant.carrier != first.carrier)
        assert sum(map(bool, left_out)) == 1, variant.name
        assert variant.settings.keys() <= COMMON.keys()
    assert {variant.removed for variant in VARIANTS if variant.removed} == set(WITHOUT)
    assert set(tables.BOUGHT) == {variant.name for variant in others[:-2]}


def test_a_whole_trip_is_nothing_else() -> None:
    assert verdicts(WHOLE) == {"is_whole"}


def test_of_a_trip_that_was_undone_nothing_is_left() -> None:
    assert verdicts({partner: [RELEASED, RELEASED] for partner in Partner}) == set()
    assert verdicts({}) == set()


@pytest.mark.parametrize("missing", Partner)
@pytest.mark.parametrize("instead", [[], [HELD], [RELEASED]], ids=["nothing", "held", "released"])
def test_a_trip_that_lacks_a_part_is_half_booked(missing: Partner, instead: list[ReservationStatus]) -> None:
    found = verdicts({**WHOLE, missing: instead})
    charged = set() if missing is Partner("payment") else {"is_charged_for_less"}
    assert found == {"is_half"} | charged


@pytest.mark.parametrize("partner", Partner)
def test_a_part_that_is_left_held_under_another_key_is_held_twice(partner: Partner) -> None:
    assert verdicts({**WHOLE, partner: [HELD, CONFIRMED]}) == {"is_whole", "is_held_twice"}
    assert verdicts({**WHOLE, partner: [RELEASED, CONFIRMED]}) == {"is_whole"}


def test_only_captured_payments_are_charges() -> None:
    twice = {**WHOLE, Partner("payment"): [CONFIRMED, CONFIRMED]}
    assert verdicts(twice) == {"is_whole", "is_held_twice", "is_charged_twice"}
    assert "is_charged_twice" not in verdicts({**WHOLE, Partner("payment"): [HELD, CONFIRMED]})


def test_a_trip_that_was_accepted_twice_is_counted_under_both_names() -> None:
    both = {
        partner: [*reservations("a", WHOLE)[partner], *reservations("b", WHOLE)[partner]]
        for partner in Partner
    }
    by_name = active_by_name(both)
    assert judged(of_names(by_name, ["a", "b"])).is_charged_twice
    assert not judged(of_names(by_name, ["a", "c"])).is_charged_twice


@given(st.text(st.characters(exclude_characters=BETWEEN), min_size=1), st.uuids())
def test_a_fresh_key_keeps_the_name(name: str, fresh: object) -> None:
    assert name_of(name) == name_of(f"{name}{BETWEEN}{fresh}") == name


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
        Call(9.0, "PUT", "201"),
        Call(10.0, "PUT", "dropped"),
        Call(10.05, "PUT", "dropped"),
        Call(20.5, "DELETE", "200"),
        Call(20.6, "PUT", "503"),
        Call(21.0, "PUT", "201"),
    ]
    found = sick_figures(calls, Outage(10, 20), after_s=5)
    assert (found["calls_while_down"], found["busiest"], found["serves_after_s"]) == (2, 2, 1.0)
    assert sick_figures(calls[:3], Outage(10, 20), after_s=5)["serves_after_s"] is None


def test_calm_figures_are_of_confirmed_trips() -> None:
    some = [booked("a", 0, "confirmed", 0.1), booked("b", 0, "confirmed", 0.3), booked("c", 0, "failed", 9.0)]
    groups = ("temporal", "worker", "api", "postgres", "partners")
    found = calm_figures(some, dict.fromkeys(groups, 0.3))
    assert found == {"trips": 3, "confirmed": 2, "p50_ms": 100, "p95_ms": 300, "cpu_ms": pytest.approx(400)}


def made_up() -> dict[str, Any]:
    """Results in which nothing came to harm."""
    unharmed = dict.fromkeys((column.figure for column in tables.OUTCOMES), 0) | {"confirmed": 4}
    row = {
        "about": {"load": 1.0},
        "calm": {"trips": 2, "confirmed": 2, "p50_ms": 100.0, "p95_ms": 200.0, "cpu_ms": 90.0},
        "outcomes": {"trips": 5, "declined": 1, "waiting": 2} | unharmed,
        "times": {"no_p50_s": None, "backlog_s": 2.5},
        "sick": {
            "calls_while_down": 3,
            "busiest": 2,
            "serves_after_s": 1.25,
            "outage_s": 15.0,
            "at_s": [-1.0, 2.0],
        },
        "calls": 50,
    }
    about = {"plan": vars(Plan()), "cores": 2, "machine": "x86_64", "python": "3.11"}
    return {"about": about, "rows": [{"variant": variant.name} | row for variant in VARIANTS]}


def test_the_page_has_a_place_for_every_table_and_keeps_the_rest() -> None:
    page = (ROOT / "docs" / "mechanisms.md").read_text()
    found = filled(page, tables.all_tables(made_up()), "buys")
    assert "| no retries | 4 | 0 | 0 |" in found
    assert "| all of it | 3 | 2 | 1.2 | 2.5 | – |" in found
    assert found.startswith(page[: page.index("<!-- buys")])


@pytest.mark.parametrize("column", tables.MUST_BE_NONE, ids=lambda column: column.figure)
def test_harm_is_missed_with_all_mechanisms_at_work_and_expected_without(column: tables.Column) -> None:
    results = made_up()
    assert tables.missed(results) == []
    for row in results["rows"]:
        harmed = 0 if row["variant"] in tables.WHOLE else 2
        row[column.group] = row[column.group] | {column.figure: harmed}
    assert tables.missed(results) == []
    results["rows"][0][column.group][column.figure] = 2
    assert tables.missed(results) == [f"all of it: {column.heading}: 2"]


def test_a_run_of_some_variants_has_tables_too() -> None:
    results = made_up()
    results["rows"] = results["rows"][2:4]
    assert "no backoff" in tables.all_tables(results)["outcomes"]


def test_pictures_are_drawn_from_the_results_alone(tmp_path: Path) -> None:
    results = made_up()
    results["rows"][7]["outcomes"] |= {"charged_twice": 2}
    pictures.draw(tmp_path, results)
    for name in ("outcomes", "calm"):
        drawn = (tmp_path / f"mechanisms-{name}.svg").read_text()
        assert all(variant.title in drawn for variant in VARIANTS)
    assert "no breaker" in (tmp_path / "mechanisms-outage.svg").read_text()


def test_days_are_within_what_can_be_booked() -> None:
    today = datetime.now(UTC).date()
    last = max(trip.order["hotel"]["check_out"] for trip in Plan(rough_s=1000).rough_trips(today))
    assert date.fromisoformat(last) < today + timedelta(days=3 * 365)
