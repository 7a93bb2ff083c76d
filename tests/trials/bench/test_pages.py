"""Each benchmark's bars, tables and pictures, from made-up results that only just meet the bars."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from trials.bench.__main__ import BENCHES, parser, planned
from trials.bench.backoff import contention, herd, reference
from trials.bench.bench import Bench
from trials.bench.buys import page as buys
from trials.bench.buys.plan import Plan
from trials.bench.buys.variants import TITLES, VARIANTS
from trials.bench.contest import page as contest
from trials.bench.contest.contestants import CONTESTANTS
from trials.bench.contest.failing import SCENARIOS
from trials.bench.drawing import draw
from trials.bench.growth import page as growth
from trials.bench.guard import page as guard
from trials.report import Column, Results, filled, machine

ABOUT = {
    "about": machine() | {"rounds": 2, "failing_rounds": 1, "seconds": 4.0, "record": 100} | vars(Plan())
}


def figures(*columns: Column, **changes: Any) -> Results:
    return dict.fromkeys([column.figure for column in columns], 50.0) | changes


def of_contest(**ours: float) -> Results:
    columns = (*contest.SPEED, *contest.CPU, *contest.SERVER)
    just = {"trips_per_s": 30, "cpu_ms_own": 33, "cpu_ms_engine": 27, "actions": 4, "alone_p50_ms": 105}
    of_each: dict[str, dict[str, float]] = {
        "trips": just | ours,
        "textbook": {"trips_per_s": 10, "cpu_ms_own": 100},
        "bare": {"cpu_ms_engine": 30},
        "dbos": {"trips_per_s": 29},
        "plain": {"alone_p50_ms": 30},
    }
    failing = {
        scenario.name: {
            one.name: [figures(*contest.FAILING, actions=12)] for one in CONTESTANTS if scenario.is_for(one)
        }
        for scenario in SCENARIOS
    }
    rounds = {name: [figures(*columns, **found)] * 2 for name, found in of_each.items()}
    return {"contest": ABOUT | {"rounds": rounds, "failing": failing, "wrong": []}}


def of_growth() -> Results:
    three = {
        f"{name}_{share}_{unit}": 1.0
        for name, unit in (("post", "ms"), ("waited", "s"))
        for share in ("p50", "p99", "max")
    }
    burst = three | {"trips": 50, "posts_per_s": 1.0, "drained_s": 1.0, "trips_per_s": 1.0, "wrong": []}
    burst |= {
        "answers": {"202": 50},
        "statuses": {"confirmed": 50},
        "looks": [[1.0, 25, 10, 5], [2.0, 50, 0, 50]],
    }
    samples = [[100 * n, 90_000 + 19.99 * n, 80_000] for n in range(100)]
    names = ("first page", "page in the middle", "one trip")
    return {
        "in_flight": ABOUT | {"phases": {"1": figures(*growth.PHASE), "10": figures(*growth.PHASE)}},
        "memory": ABOUT | {"trips": 10_000, "in_flight": 10, "samples": samples},
        "burst": ABOUT | burst,
        "reading": ABOUT | {"rows": {name: figures(*growth.READING) for name in names}},
    }


def of_buys() -> Results:
    row: Results = {
        "calm": figures(*buys.CALM),
        "outcomes": figures(*buys.OUTCOMES) | {"trips": 5, "declined": 1, "waiting": 2},
        "times": {"no_p50_s": None, "backlog_s": 2.5},
        "sick": figures(*buys.OUTAGE[:3]) | {"at_s": [-1.0, 2.0]},
    }
    row["outcomes"] |= {column.figure: 0.0 for column in buys.MUST_BE_NONE}
    return {variant.name: ABOUT | row for variant in VARIANTS}


def of_guard() -> Results:
    row = figures(*guard.HERD, steady_busiest=2, at_s=[-1.0, 2.0])
    herds = {"none": row, "all": row | {"of_unguarded": 2.0, "after_busiest": 4}}
    fits = {jitter: figures(*guard.DELAYS, p=0.01, measured_s=[[1.0, 2.0]]) for jitter in ("full", "equal")}
    return {"herd": {"about": vars(guard.Plan()), "rows": herds}, "delays": {"rows": fits}}


def of_backoff() -> Results:
    found = {
        str(clients): {
            strategy: [1.0999 * one for one in reference.CONTENTION[strategy][clients]]
            for strategy in contention.STRATEGIES
        }
        for clients in contention.CLIENTS
    }
    run = {"calls_a_client": 1.0, "last_done_s": 2.0, "calls_by_slot": {"0": 1000}}
    return {"contention": {"found": found}, "herd": {"found": dict.fromkeys(herd.STRATEGIES, run)}}


MADE_UP: dict[str, Callable[[], Results]] = {
    "backoff": of_backoff,
    "guard": of_guard,
    "contest": of_contest,
    "growth": of_growth,
    "buys": of_buys,
}


def missed(name: str, results: Results) -> list[str]:
    return [bar.text for bar in BENCHES[name].bars(results) if not bar.is_met]


@pytest.mark.parametrize("bench", BENCHES.values(), ids=lambda bench: bench.name)
def test_a_page_has_a_place_for_every_table_and_picture(bench: Bench, tmp_path: Path) -> None:
    results = MADE_UP[bench.name]()
    assert missed(bench.name, results) == []
    page, tables = (ROOT / bench.page).read_text(), bench.tables(results)
    found = filled(page, tables, bench.name)
    assert all(table in found for table in tables.values())
    assert found.startswith(page[: page.index(f"<!-- {bench.name}")])
    assert filled(found, tables, bench.name) == found
    draw(bench.pictures(results), tmp_path)
    drawn = [path.name for path in tmp_path.iterdir()]
    assert drawn and all(f"(pictures/{name})" in page for name in drawn)


@pytest.mark.parametrize("bench", BENCHES.values(), ids=lambda bench: bench.name)
def test_a_part_alone_is_shown_alone(bench: Bench) -> None:
    results = MADE_UP[bench.name]()
    for part in bench.parts:
        alone = {part: results[part]}
        assert bench.tables(alone) and bench.pictures(alone) is not None
        bench.bars(alone)


def test_the_command_line_sets_a_plans_numbers() -> None:
    arguments: argparse.Namespace = parser().parse_args(["contest", "--quick", "--rounds", "3"])
    quick = BENCHES["contest"].quick
    assert vars(planned(BENCHES["contest"], arguments)) == vars(quick) | {"rounds": 3}


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
def test_a_bar_of_the_contest_is_missed_by_a_little(figure: str, value: float) -> None:
    assert len(missed("contest", of_contest(**{figure: value}))) == 1


def test_a_ratio_is_of_the_same_round() -> None:
    results = of_contest()
    rounds = results["contest"]["rounds"]
    for name, rates in {"trips": (10.0, 40.0), "textbook": (5.0, 40.0)}.items():
        rounds[name] = [rounds[name][0] | {"trips_per_s": rate} for rate in rates]
    assert contest.bars(results)[0].figure == 1.5


def test_a_leak_a_slow_page_and_a_trip_that_was_not_confirmed_are_missed() -> None:
    results = of_growth()
    results["reading"]["rows"]["page in the middle"]["p50_ms"] = 61.0
    results["memory"]["samples"] = [[100 * n, 90_000, 80_000 + 21 * n] for n in range(100)]
    results["burst"]["wrong"] = ["1 of the burst ended failed"]
    assert missed("growth", results) == [
        "p50 of a page in the middle of the record, beside the first",
        "memory of the api, kB a 1,000 trips that it surely grows",
        "trips that were not confirmed",
    ]
    results["memory"]["trips"] = 9_999
    assert len(missed("growth", results)) == 2, "a short run is all warm-up"


@pytest.mark.parametrize("column", buys.MUST_BE_NONE, ids=lambda column: column.figure)
def test_harm_is_missed_with_all_mechanisms_at_work_and_expected_without(column: Column) -> None:
    results = of_buys()
    for name in results:
        results[name]["outcomes"] = results[name]["outcomes"] | {column.figure: 2 * (name != "again")}
    assert missed("buys", results) == [f"{TITLES['all']}: {column.heading}"]


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for the table speed"):
        filled("# A page\n", {"speed": "| |"}, "contest")
