"""The arithmetic of growth, its bars, tables and pictures."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from trials.bench.contest.tables import filled
from trials.bench.growth import bars, breaker_off, pictures, tables, telemetry_off
from trials.bench.growth.figures import percentile_ratio, slope, swapped_ratio
from trials.bench.growth.growth import MANY_BEHIND, NONE_BEHIND

RATIO = st.floats(0.1, 10)


@given(st.floats(-1e3, 1e3), st.floats(0, 1e6), st.integers(20, 200))
def test_the_slope_of_a_line_is_found(rise: float, start: float, samples: int) -> None:
    xs = [float(number) for number in range(samples)]
    found = slope(xs, [start + rise * x for x in xs])
    assert found == pytest.approx((rise, rise, rise), rel=1e-6, abs=1e-3)
    assert found.low <= found.value <= found.high


def test_a_warm_up_is_no_slope() -> None:
    found = slope(range(100), [min(x, 20) for x in range(100)])
    assert found == pytest.approx((0, 0, 0))


def test_a_slope_is_uncertain_where_the_samples_scatter() -> None:
    rng = random.Random(1)
    missed = 0
    for _ in range(200):
        found = slope(range(100), [2 * x + rng.gauss(0, 50) for x in range(100)])
        missed += not found.low <= 2 <= found.high
    assert 0 < missed < 30, "95% confidence"


def test_a_slope_of_too_few_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 10"):
        slope([1, 2, 3], [1, 2, 3])


@given(RATIO, RATIO, st.integers(2, 10))
def test_a_ratio_is_that_of_the_sides_whichever_system_they_have(
    ratio: float, other_system: float, pairs: int
) -> None:
    ours = [ratio, ratio * other_system] * pairs
    theirs = [other_system, 1.0] * pairs
    assert swapped_ratio(ours, theirs) == pytest.approx((ratio, ratio, ratio))


@pytest.mark.parametrize("rounds", [2, 5])
def test_a_ratio_of_rounds_that_do_not_pair_up_is_refused(rounds: int) -> None:
    with pytest.raises(ValueError, match="even number"):
        swapped_ratio([1.0] * rounds, [1.0] * rounds)


def test_a_percentile_is_of_all_rounds_together_and_is_as_sure_as_they_agree() -> None:
    agree = percentile_ratio([[2.0, 4.0], [2.0, 4.0]], [[1.0, 2.0], [1.0, 2.0]], 0.99)
    assert agree == (2, 2, 2)
    differ = percentile_ratio([[1.0, 9.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], 0.99)
    assert differ == (9, 1, 9)


def phase(**changes: float) -> dict[str, Any]:
    names = {column.figure for column in (*tables.PHASE, *tables.CPU)}
    return dict.fromkeys(names, 50.0) | {"latencies_ms": [40.0, 50.0, 60.0]} | changes


def switched(with_it: str, without: str, cpu_ms: float) -> dict[str, Any]:
    return {"phases": {with_it: [phase(cpu_ms_own=cpu_ms)] * 4, without: [phase()] * 4}}


def made_up() -> dict[str, Any]:
    """Results that are just as good as they have to be."""
    many = phase() | {"latencies_ms": [50.0, 60.0, 75.0]}
    measured = {"load": 1.0, "in_flight": 10, "wrong": []}
    behind = {NONE_BEHIND: [phase()] * 2, MANY_BEHIND: [many] * 2}
    return {
        "about": {"cores": 2, "machine": "x86_64", "python": "3.11", "versions": {"temporalio": "1.35.0"}},
        "in_flight": measured | {"phases": {"1": [phase()], "10": [phase()]}},
        "behind": measured | {"finished": 100_000, "phases": behind, "side_by_side": behind},
        "workers": measured | {"phases": {"1": [phase()], "2": [phase()]}},
        "breaker": measured | switched(breaker_off.ON, breaker_off.OFF, 51.0),
        "telemetry": measured | switched(telemetry_off.ON, telemetry_off.OFF, 51.5),
        "memory": measured
        | {"trips": 10_000, "samples": [[100 * n, 90_000 + 19.99 * n, 80_000] for n in range(100)]},
        "burst": measured
        | {
            "trips": 50,
            "answers": {"202": 50},
            "statuses": {"confirmed": 50},
            "looks": [[1.0, 25, 10, 5], [2.0, 50, 0, 50]],
            "posts_per_s": 100.0,
            "drained_s": 2.0,
            "trips_per_s": 25.0,
            **{f"post_{name}_ms": 10.0 for name in ("p50", "p99", "max")},
            **{f"waited_{name}_s": 1.0 for name in ("p50", "p99", "max")},
        },
    }


def missed(results: dict[str, Any]) -> list[str]:
    return [bar.text for bar in bars.judged(results) if not bar.is_met]


def test_bars_that_are_just_met_are_met() -> None:
    assert missed(made_up()) == []


def test_a_longer_tail_is_missed() -> None:
    results = made_up()
    for figures in results["behind"]["side_by_side"][MANY_BEHIND]:
        figures["latencies_ms"] = [50.0, 60.0, 76.0]
    assert missed(results) == ["p99 with 100,000 finished trips behind, beside p99 with none"]


@pytest.mark.parametrize(
    ("part", "with_it", "too_much", "missing"),
    [
        ("breaker", breaker_off.ON, 51.1, "CPU a trip with closed breakers, beside none"),
        (
            "telemetry",
            telemetry_off.ON,
            51.6,
            "CPU a trip with telemetry read every few seconds, beside none read",
        ),
    ],
)
def test_what_costs_too_much_is_missed(part: str, with_it: str, too_much: float, missing: str) -> None:
    results = made_up()
    results[part]["phases"][with_it] = [phase(cpu_ms_own=too_much)] * 4
    assert missed(results) == [missing]


def test_a_leak_and_a_trip_that_was_not_confirmed_are_missed() -> None:
    results = made_up()
    results["memory"]["samples"] = [[100 * n, 90_000, 80_000 + 21 * n] for n in range(100)]
    results["burst"]["wrong"] = ["1 of the burst ended failed"]
    assert missed(results) == [
        "memory of the api, kB a 1,000 trips that it surely grows",
        "trips that were not confirmed",
    ]


def test_the_memory_of_a_short_run_is_not_judged() -> None:
    results = made_up()
    results["memory"] |= {"trips": 9_999, "samples": [[10 * n, 90_000 * n, 80_000] for n in range(100)]}
    assert missed(results) == []


def test_parts_that_were_not_run_are_left_out() -> None:
    results = {name: made_up()[name] for name in ("about", "in_flight")}
    assert [bar.text for bar in bars.judged(results)] == ["trips that were not confirmed"]
    assert set(tables.all_tables(results)) == {"run", "bars", "in-flight"}


def test_parts_that_were_only_tried_out_are_named() -> None:
    results = made_up()
    assert "--quick" not in tables.all_tables(results)["run"]
    for part in ("in_flight", "burst"):
        results[part] |= {"is_quick": True}
    assert tables.all_tables(results)["run"].endswith("too short to judge by: in flight, burst.")


def test_the_page_has_a_place_for_every_table_and_keeps_the_rest() -> None:
    page = (ROOT / "docs" / "growth.md").read_text()
    found = filled(page, tables.all_tables(made_up()), of="growth")
    assert "| 100,000 | 60 | 75 |" not in page
    assert found.startswith(page[: page.index("<!-- growth")])
    assert filled(found, tables.all_tables(made_up()), of="growth") == found


def test_pictures_are_drawn_from_the_results_alone(tmp_path: Path) -> None:
    pictures.draw(tmp_path, made_up())
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {f"growth-{name}.svg" for name in ("in-flight", "behind", "workers", "memory", "burst")}
    assert "100,000 behind" in (tmp_path / "growth-behind.svg").read_text()
