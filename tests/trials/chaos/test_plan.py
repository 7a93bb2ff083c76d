"""What a seed stands for, and what a run is judged by."""

from collections import Counter
from itertools import islice
from types import SimpleNamespace
from typing import cast

import pytest

from trials.chaos import plan
from trials.chaos.client import Client
from trials.chaos.soak import Load, unsound
from trials.orders import today
from trip.order import TripOrder

TODAY = today()


def drawn(seed: int) -> tuple[object, ...]:
    return (
        plan.trips(seed, 50, 4, TODAY),
        list(islice(plan.kills(seed), 50)),
        list(islice(plan.faults(seed, "hotel"), 50)),
    )


def test_a_seed_gives_the_same_plan_again_and_another_seed_another() -> None:
    assert drawn(1) == drawn(1)
    assert all(one != other for one, other in zip(drawn(1), drawn(2), strict=True))


def test_every_planned_trip_is_one_that_the_front_door_takes() -> None:
    for trip in plan.trips(3, 500, 4, TODAY):
        order = TripOrder.model_validate(trip.body)
        assert all(ordered.day >= TODAY for ordered in order.days())
    kinds = Counter(trip.body["coordination"] for trip in plan.trips(3, 500, 4, TODAY))
    assert set(kinds) == set(plan.KINDS)
    assert min(kinds.values()) > 200


def test_every_process_is_killed_and_stopped_sooner_or_later() -> None:
    found = list(islice(plan.kills(4), 300))
    assert {kill.process for kill in found if kill.stop_s is None} == set(plan.PROCESSES)
    assert {kill.process for kill in found if kill.stop_s} == set(plan.PROCESSES)
    assert all(plan.GAP_S[0] <= kill.gap_s <= plan.GAP_S[1] for kill in found)


def test_the_broker_loses_its_store_once_and_soon() -> None:
    for seed in range(10):
        losses = [kill for kill in islice(plan.kills(seed), 100) if kill.loses_store]
        assert [kill.process for kill in losses] == ["nats"]
        assert losses[0] in islice(plan.kills(seed), plan.LATEST_LOSS + 1)


@pytest.mark.parametrize(
    ("statuses", "cancels", "problem"),
    [
        (["confirmed"] * 3 + ["failed"] * 7, {}, ""),
        (["confirmed"] * 2 + ["failed"] * 8, {}, "2 of 10 were confirmed by choreography, fewer than 30%"),
        (["confirmed"] * 9, {}, "10 trips were accepted, 9 are listed"),
        (["confirmed"] * 10, {"0": 202}, "answered 202, but it ended confirmed"),
        (["confirmed"] * 9 + ["cancelled"], {"9": 409}, "answered 409, but it ended cancelled"),
    ],
)
def test_what_a_run_is_judged_by(statuses: list[str], cancels: dict[str, int], problem: str) -> None:
    load = Load(cast("Client", SimpleNamespace(answers=Counter())))  # calls nobody
    load.accepted, load.cancels = [str(number) for number in range(10)], cancels
    found = [
        {"trip_id": str(number), "status": status, "coordination": "choreography"}
        for number, status in enumerate(statuses)
    ]
    wrong = unsound(load, found)
    assert any(problem in one for one in wrong) if problem else wrong == []
