"""The arithmetic of the benchmarks, and what the contest reads of the server and of processes."""

import asyncio
import random
import subprocess
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.backoff import BackoffPolicy, Jitter, next_delay
from trials import cpu
from trials.bench.contest import measure
from trials.bench.contest.measure import Turn
from trials.bench.contest.server import Counters, read_counters
from trials.load import Booked, Load, at_rate, throughput
from trials.statistics import between, busiest, fit, percentile, slope

FINITE = st.floats(0, 1e6)

METRICS = """\
# TYPE action counter
action{action_type="command_ScheduleActivityTask",namespace="default",service_name="frontend"} 15
action{action_type="grpc_StartWorkflowExecution",namespace="default",service_name="frontend"} 3
action{action_type="grpc_StartWorkflowExecution",namespace="temporal_system",service_name="frontend"} 2
service_requests{namespace="default",operation="AddWorkflowTask",service_name="matching"} 23
service_requests{namespace="default",operation="StartWorkflowExecution",service_name="frontend"} 3
service_requests{namespace="default",operation="StartWorkflowExecution",service_name="history"} 3
service_requests_total{namespace="default",service_name="frontend"} 1000
"""


@given(st.lists(FINITE, min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_enough_others_are_not_above(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert share == 0 or sum(value < found for value in values) < share * len(values) or found == min(values)


def test_throughput_is_that_of_a_closed_loop_wherever_its_phase_ends() -> None:
    slow_start = Load("confirmed", ["a", "b"], [4.0, 4.0], [4.0, 4.0])
    steady = Load("confirmed", list("abcdef"), [4.0, 4.0, 0.5, 0.5, 0.5, 0.5], [4, 4, 4.5, 4.5, 5, 5])
    assert throughput(slow_start, in_flight=2, since=1.0) == 0.5
    assert throughput(steady, in_flight=2, since=1.0) == 4
    steady.wrong = ["one", "another"]
    assert throughput(steady, in_flight=2, since=1.0) == 3


async def test_a_machine_that_gets_slower_favours_no_number_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = iter((100, 99, 90, 80, 79, 60))

    async def rate(_turn: Turn, _load: Load, _in_flight: int) -> float:
        return next(rates)

    monkeypatch.setattr(measure, "rate", rate)
    assert await measure.in_flight_for(cast("Turn", None), (10, 30, 60)) == 30


async def test_trips_at_a_rate_come_at_the_same_moments_and_their_latency_counts_from_there() -> None:
    busy = asyncio.Semaphore(1)

    async def one_at_a_time() -> Booked:
        async with busy:
            await asyncio.sleep(0.05)
            return Booked("a", "confirmed")

    loads = Load("confirmed"), Load("confirmed")
    for load in loads:
        await at_rate(one_at_a_time, load, per_s=100, seconds=0.2)
    assert len(loads[0].trips) == len(loads[1].trips) > 5
    assert max(loads[0].latencies_s) >= 0.05 * (len(loads[0].trips) - 5)


def test_actions_and_calls_are_those_of_the_default_namespace() -> None:
    assert read_counters(METRICS) == Counters(actions=18, calls=3)


def test_cpu_belongs_to_whose_turn_it_is(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        for name in ("temporal", "textbook", "worker-1", "api", "mongo", "flight", "nats", "trips"):
            (tmp_path / f"{name}.pid").write_text(f"{child.pid}\n")
        (tmp_path / "gone.pid").write_text("not a process\n")
        found = {group for group, pid in cpu.used(tmp_path, ("temporal", "textbook")) if pid == child.pid}
        assert found == {"temporal", "worker", "others", "engines", "partners"}
        found = {group for group, pid in cpu.used(tmp_path, ("worker-", "api")) if pid == child.pid}
        assert found == {"worker", "api", "others", "engines", "partners"}
        found = {group for group, pid in cpu.used(tmp_path, cpu.CHOREOGRAPHY) if pid == child.pid}
        assert found == {"nats", "worker", "api", "others", "engines", "partners"}
        child.kill()


@given(st.floats(-1e3, 1e3), st.floats(0, 1e6), st.integers(20, 200))
def test_the_slope_of_a_line_is_found(rise: float, start: float, samples: int) -> None:
    xs = [float(number) for number in range(samples)]
    found = slope(xs, [start + rise * x for x in xs])
    assert found == pytest.approx((rise, rise, rise), rel=1e-6, abs=1e-3)
    assert found.low <= found.value <= found.high
    assert slope(xs, [min(x, 0.2 * xs[-1]) for x in xs]) == pytest.approx((0, 0, 0)), (
        "the warm-up is left out"
    )


def test_a_slope_is_uncertain_if_the_samples_scatter() -> None:
    rng = random.Random(1)
    missed = 0
    for _ in range(200):
        found = slope(range(100), [2 * x + rng.gauss(0, 50) for x in range(100)])
        missed += not found.low <= 2 <= found.high
    assert 0 < missed < 30, "95% confidence"


def asked(base_s: float, cap_s: float, jitter: Jitter) -> BackoffPolicy:
    return BackoffPolicy(base_s=base_s, cap_s=cap_s, jitter=jitter)


def drawn(policy: BackoffPolicy, calls: int) -> list[list[float]]:
    uniform = random.Random(3).uniform
    return [[next_delay(policy, attempt, uniform) for attempt in range(4)] for _ in range(calls)]


@pytest.mark.parametrize("drew", [(2, 8, Jitter.FULL), (2, 8, Jitter.EQUAL), (1.4, 5.6, Jitter.FULL)])
def test_delays_fit_the_policy_that_drew_them_and_no_other(drew: tuple[float, float, Jitter]) -> None:
    measured = drawn(asked(*drew), calls=50)
    for other in ((2, 8, Jitter.FULL), (2, 8, Jitter.EQUAL)):
        assert (fit(asked(*other), measured).p > 0.01) == (other == drew)


def test_the_busiest_stretch_may_begin_anywhere() -> None:
    at = [0.0, 0.09, 0.11, 0.18, 0.5, 0.51]
    assert busiest(at, 0, 1, 0.1) == 3
    assert busiest(at, 0.4, 1, 0.1) == 2
    assert busiest([], 0, 1, 0.1) == 0
    assert between(at, 0.09, 0.5) == 3
