"""Each benchmark's bars, tables and pictures, from made-up results that only just meet the bars."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from trials.bench.buys import page as buys
from trials.bench.buys.plan import Plan
from trials.bench.buys.variants import TITLES, VARIANTS
from trials.bench.contest import page as contest
from trials.bench.contest.contestants import CONTESTANTS
from trials.bench.contest.failing import SCENARIOS
from trials.bench.growth import page as growth
from trials.bench.growth.parts import MANY_BEHIND, NONE_BEHIND
from trials.report import Column, Report, Results, draw, filled

ABOUT = {"cores": 2, "machine": "x86_64", "python": "3.11", "versions": {"temporalio": "1.35.0"}}


def figures(*columns: Column, **changes: float) -> dict[str, float]:
    return dict.fromkeys([column.figure for column in columns], 50.0) | changes


def of_contest(**ours: float) -> Results:
    columns = (*contest.SPEED, *contest.CPU, *contest.SERVER)
    just = {"trips_per_s": 30, "cpu_ms_own": 33, "cpu_ms_engine": 27, "actions": 4, "alone_p50_ms": 105}
    theirs = {
        "textbook": {"trips_per_s": 10, "cpu_ms_own": 100},
        "bare": {"cpu_ms_engine": 30},
        "dbos": {"trips_per_s": 29},
        "plain": {"alone_p50_ms": 30},
    }
    rounds = {
        name: [figures(*columns, **found)] * 2 for name, found in ({"trips": just | ours} | theirs).items()
    }
    failing = {
        scenario.name: {
            one.name: [figures(*contest.FAILING, actions=12)] for one in CONTESTANTS if scenario.is_for(one)
        }
        for scenario in SCENARIOS
    }
    about = ABOUT | {"rounds": 2, "failing_rounds": 1, "seconds": 4.0}
    return {"about": about, "rounds": rounds, "failing": failing, "wrong": []}


def of_growth() -> Results:
    one = figures(*growth.PHASE) | {"latencies_ms": [40.0, 50.0, 60.0]}
    many = one | {"latencies_ms": [50.0, 60.0, 75.0]}
    measured = {"load": 1.0, "in_flight": 10, "wrong": []}
    behind = {NONE_BEHIND: [one] * 2, MANY_BEHIND: [many] * 2}
    samples = [[100 * n, 90_000 + 19.99 * n, 80_000] for n in range(100)]
    names = [f"{name}_{share}" for share in ("p50", "p99", "max") for name in ("post", "waited")]
    names = [
        "posts_per_s",
        "drained_s",
        "trips_per_s",
        *(f"{one}_{unit}" for one in names for unit in ("ms", "s")),
    ]
    burst: Results = dict.fromkeys(names, 1.0)
    burst |= {"answers": {"202": 50}, "statuses": {"confirmed": 50}, "trips": 50}
    burst["looks"] = [[1.0, 25, 10, 5], [2.0, 50, 0, 50]]
    return {
        "about": ABOUT,
        "in_flight": measured | {"phases": {"1": [one], "10": [one]}},
        "behind": measured | {"finished": 100_000, "phases": behind, "side_by_side": behind},
        "workers": measured | {"phases": {"1": [one], "2": [one]}},
        "memory": measured | {"trips": 10_000, "samples": samples},
        "burst": measured | burst,
    }


def of_buys() -> Results:
    row: Results = {
        "about": {"load": 1.0},
        "calm": figures(*buys.CALM),
        "outcomes": figures(*buys.OUTCOMES) | {"trips": 5, "declined": 1, "waiting": 2},
        "times": {"no_p50_s": None, "backlog_s": 2.5},
        "sick": figures(*buys.OUTAGE[:3]) | {"outage_s": 15.0, "at_s": [-1.0, 2.0]},
    }
    row["outcomes"] |= {column.figure: 0.0 for column in buys.MUST_BE_NONE}
    rows = [{"variant": variant.name} | row for variant in VARIANTS]
    return {"about": ABOUT | {"plan": vars(Plan())}, "rows": rows}


PAGES = [(contest.REPORT, of_contest), (growth.REPORT, of_growth), (buys.REPORT, of_buys)]
each = pytest.mark.parametrize(("report", "made_up"), PAGES, ids=lambda one: getattr(one, "name", ""))


def missed(report: Report, results: Results) -> list[str]:
    return [bar.text for bar in report.bars(results) if not bar.is_met]


@each
def test_bars_that_are_just_met_are_met(report: Report, made_up: Callable[[], Results]) -> None:
    assert missed(report, made_up()) == []


@each
def test_the_page_has_a_place_for_every_table_and_keeps_the_rest(
    report: Report, made_up: Callable[[], Results]
) -> None:
    page, tables = (ROOT / report.page).read_text(), report.tables(made_up())
    found = filled(page, tables, report.name)
    assert all(table in found for table in tables.values())
    assert found.startswith(page[: page.index(f"<!-- {report.name}")])
    assert filled(found, tables, report.name) == found


@each
def test_pictures_are_those_of_the_page(
    report: Report, made_up: Callable[[], Results], tmp_path: Path
) -> None:
    page = (ROOT / report.page).read_text()
    draw(tmp_path, report.pictures(made_up()))
    drawn = [path.name for path in tmp_path.iterdir()]
    assert drawn and all(f"(pictures/{name})" in page for name in drawn)


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
    assert len(missed(contest.REPORT, of_contest(**{figure: value}))) == 1


def test_a_ratio_is_of_the_same_round() -> None:
    results = of_contest()
    for name, rates in {"trips": (10.0, 40.0), "textbook": (5.0, 40.0)}.items():
        one = results["rounds"][name][0]
        results["rounds"][name] = [one | {"trips_per_s": rate} for rate in rates]
    assert contest.bars(results)[0].figure == 1.5


def test_a_longer_tail_a_leak_and_a_trip_that_was_not_confirmed_are_missed() -> None:
    results = of_growth()
    for phase in results["behind"]["side_by_side"][MANY_BEHIND]:
        phase["latencies_ms"] = [50.0, 60.0, 76.0]
    results["memory"]["samples"] = [[100 * n, 90_000, 80_000 + 21 * n] for n in range(100)]
    results["burst"]["wrong"] = ["1 of the burst ended failed"]
    assert missed(growth.REPORT, results) == [
        "p99 with 100,000 finished trips behind, beside p99 with none",
        "memory of the api, kB a 1,000 trips that it surely grows",
        "trips that were not confirmed",
    ]
    results["memory"]["trips"] = 9_999
    assert len(missed(growth.REPORT, results)) == 2, "a short run is all warm-up"


def test_parts_of_growth_that_were_not_run_are_left_out_and_quick_ones_are_named() -> None:
    results = {name: of_growth()[name] for name in ("about", "in_flight")}
    assert "--quick" not in growth.tables(results)["run"]
    results["in_flight"] |= {"is_quick": True}
    assert growth.tables(results)["run"].endswith("too short to judge by: in flight.")
    assert set(growth.tables(results)) == {"run", "bars", "in-flight"}


@pytest.mark.parametrize("column", buys.MUST_BE_NONE, ids=lambda column: column.figure)
def test_harm_is_missed_with_all_mechanisms_at_work_and_expected_without(column: Column) -> None:
    results: Any = of_buys()
    for row in results["rows"][1:-1]:
        row["outcomes"] = row["outcomes"] | {column.figure: 2}
    assert missed(buys.REPORT, results) == []
    results["rows"][0]["outcomes"] = results["rows"][0]["outcomes"] | {column.figure: 2}
    assert missed(buys.REPORT, results) == [f"{TITLES['all']}: {column.heading}"]


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for the table speed"):
        filled("# A page\n", {"speed": "| |"}, "contest")
