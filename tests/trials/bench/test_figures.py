"""The contest's arithmetic, what it reads of the server, and its tables."""

import asyncio
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from trials.bench.contest import bars, cpu, pictures, tables
from trials.bench.contest.contestants import CONTESTANTS, Booked
from trials.bench.contest.failing import SCENARIOS
from trials.bench.contest.figures import Figures, Spread, percentile, spread
from trials.bench.contest.load import Load, at_rate, throughput
from trials.bench.contest.server import Counters, read_counters

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


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@given(st.lists(FINITE, min_size=1))
def test_a_spread_is_over_the_rounds_that_have_the_figure(values: list[float]) -> None:
    found = spread([{"a": value} for value in values] + [{"b": 1.0}])
    assert found["a"] == Spread(median(values), min(values), max(values))
    assert found["b"] == Spread(1, 1, 1)


def test_throughput_is_that_of_a_closed_loop_wherever_its_phase_ends() -> None:
    slow_start = Load("confirmed", ["a", "b"], [4.0, 4.0], [4.0, 4.0])
    steady = Load("confirmed", list("abcdef"), [4.0, 4.0, 0.5, 0.5, 0.5, 0.5], [4, 4, 4.5, 4.5, 5, 5])
    assert throughput(slow_start, in_flight=2, since=1.0) == 0.5
    assert throughput(steady, in_flight=2, since=1.0) == 4
    steady.wrong = ["one", "another"]
    assert throughput(steady, in_flight=2, since=1.0) == 3


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


def test_cpu_is_what_was_used_in_between_also_by_new_processes() -> None:
    before = {("worker", 1): 5.0, ("engines", 2): 1.0, ("engines", 4): 9.0}
    after = {("worker", 1): 7.0, ("engines", 2): 1.5, ("engines", 3): 0.25}
    spent = cpu.between(before, after)
    assert {group: seconds for group, seconds in spent.items() if seconds} == {"worker": 2.0, "engines": 0.75}


def test_cpu_belongs_to_whose_turn_it_is(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        for name in ("temporal", "textbook", "worker-1", "api", "mongo", "flight"):
            (tmp_path / f"{name}.pid").write_text(f"{child.pid}\n")
        (tmp_path / "gone.pid").write_text("not a process\n")
        found = {group for group, pid in cpu.used(tmp_path, ("temporal", "textbook")) if pid == child.pid}
        assert found == {"temporal", "worker", "others", "engines", "partners"}
        found = {group for group, pid in cpu.used(tmp_path, ("worker-", "api")) if pid == child.pid}
        assert found == {"worker", "api", "others", "engines", "partners"}
        child.kill()


def made_up() -> dict[str, Any]:
    """Results in which this project is just as good as it has to be."""
    ours = figures(trips_per_s=30, cpu_ms_own=33, cpu_ms_engine=27, actions=4, alone_p50_ms=105)
    theirs = {
        "textbook": figures(trips_per_s=10, cpu_ms_own=100),
        "bare": figures(cpu_ms_engine=30),
        "dbos": figures(trips_per_s=29),
        "plain": figures(alone_p50_ms=30),
    }
    return {
        "about": {
            "cores": 2,
            "machine": "x86_64",
            "python": "3.11",
            "versions": {"dbos": "3.4.0"},
            "rounds": 2,
            "failing_rounds": 1,
            "seconds": 4.0,
        },
        "rounds": {"trips": [ours, ours], **{name: [one, one] for name, one in theirs.items()}},
        "failing": {
            scenario.name: {name: [figures(actions=12)] for name in scenario.contestants}
            for scenario in SCENARIOS
        },
        "wrong": [],
    }


def figures(**changes: float) -> Figures:
    names = {column.figure for column in (*tables.SPEED, *tables.CPU, *tables.SERVER, *tables.FAILING)}
    return dict.fromkeys(names | {"alone_p99_ms"}, 50.0) | changes


def test_bars_that_are_just_met_are_met() -> None:
    assert [bar.text for bar in bars.judged(made_up()) if not bar.is_met] == []


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("trips_per_s", 29.5),
        ("cpu_ms_own", 35.0),
        ("cpu_ms_engine", 28.0),
        ("actions", 4.1),
        ("alone_p50_ms", 106.0),
    ],
)
def test_a_bar_is_missed_by_a_little(figure: str, value: float) -> None:
    results = made_up()
    for ours in results["rounds"]["trips"]:
        ours[figure] = value
    assert sum(not bar.is_met for bar in bars.judged(results)) == 1


def test_a_ratio_is_of_the_same_round() -> None:
    results = made_up()
    for name, rates in {"trips": (10.0, 40.0), "textbook": (5.0, 40.0)}.items():
        results["rounds"][name] = [figures(trips_per_s=rate) for rate in rates]
    assert bars.judged(results)[0].figure == 1.5


def test_the_page_has_a_place_for_every_table_and_keeps_the_rest() -> None:
    page = (ROOT / "docs" / "bench.md").read_text()
    filled = tables.filled(page, tables.all_tables(made_up()))
    assert "| this project | 50 | 30.0 |" in filled
    assert filled.startswith(page[: page.index("<!-- contest")])
    assert tables.filled(filled, tables.all_tables(made_up())) == filled


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for the table speed"):
        tables.filled("# A page\n", {"speed": "| |"})


def test_pictures_are_drawn_from_the_results_alone(tmp_path: Path) -> None:
    pictures.draw(tmp_path, made_up())
    for name in ("contest-cpu.svg", "contest-speed.svg"):
        drawn = (tmp_path / name).read_text()
        assert all(one.title in drawn for one in CONTESTANTS)
