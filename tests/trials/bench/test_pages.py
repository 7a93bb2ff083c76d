"""Each benchmark's bars, tables and pictures, from made-up results that only just meet the bars."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from trials.bench.__main__ import BENCHES, parser, planned
from trials.bench.attack import page as attack
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
from trials.bench.kinds import page as kinds
from trials.bench.kinds.plan import Plan as Kinds
from trials.bench.kinds.steady import FAILING
from trials.bench.profile import page as profile
from trials.bench.size import page as size
from trials.bench.size import reading
from trials.bench.size.auditing import ALONE, BEHIND
from trials.bench.size.listeners import ALL, NONE
from trials.bench.size.plan import Plan as Size
from trials.bench.telemetry import page as telemetry
from trials.report import Column, Results, filled, machine

ABOUT = {
    "about": machine()
    | {"rounds": 2, "failing_rounds": 1, "seconds": 4.0, "in_flight": 60}
    | vars(Size())
    | vars(Plan())
}


def figures(*columns: Column, **changes: Any) -> Results:
    return dict.fromkeys([column.figure for column in columns], 50.0) | changes


def of_contest(of: str = "orchestrated", **changes: float) -> Results:
    columns = (*contest.SPEED, *contest.CPU, *contest.SERVER)
    just: dict[str, float] = {
        "trips_per_s": 30,
        "cpu_ms_own": 33,
        "cpu_ms_engine": 27,
        "actions": 4,
        "alone_p50_ms": 105,
    }
    choreographed = {"trips_per_s": 39, "cpu_ms_own": 16.5, "cpu_ms_all": 37.5, "alone_p50_ms": 105}
    of_each: dict[str, dict[str, float]] = {
        "orchestrated": just,
        "choreographed": choreographed,
        "textbook": {"trips_per_s": 10, "cpu_ms_own": 100},
        "bare": {"cpu_ms_engine": 30},
        "dbos": {"trips_per_s": 29},
        "restate": {"trips_per_s": 43, "cpu_ms_own": 12.7},
        "plain": {"alone_p50_ms": 30},
    }
    of_each[of] |= changes
    failing = {
        scenario.name: {
            one.name: [figures(*contest.FAILING, actions=12)] for one in CONTESTANTS if scenario.is_for(one)
        }
        for scenario in SCENARIOS
    }
    rounds = {name: [figures(*columns, **found)] * 2 for name, found in of_each.items()}
    left_out = {"a peer": "no server"}
    return {"contest": ABOUT | {"rounds": rounds, "failing": failing, "left_out": left_out, "wrong": []}}


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
    return {
        "in_flight": ABOUT | {"phases": {"1": figures(*growth.PHASE), "10": figures(*growth.PHASE)}},
        "memory": ABOUT | {"trips": 10_000, "in_flight": 10, "samples": samples},
        "burst": ABOUT | burst,
    }


def of_size() -> Results:
    read = (reading.FIGURES, *size.PAGES, "one trip")
    dropped = {name: figures(*size.DROPPING) for name in size.KINDS}
    full = {
        "bytes": {"trip": 2000.0, "event": 600.0},
        "reading": {name: figures(*size.READING) for name in read},
        "auditing": {"took_s": {ALONE: [2.0, 3.0], BEHIND: [2.0, 3.0]}},
        "dropping": {"rows": dropped, "mb": [10.0, 11.0]},
        "wrong": [],
    }
    rates = {NONE: [100.0, 200.0], ALL: [80.0, 160.0]}
    return {"full": ABOUT | full, "listening": ABOUT | {"rates": rates}}


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


def of_kinds(**choreographed: float) -> Results:
    columns = (*kinds.SPEED, *kinds.CPU)
    just = {"trips_per_s": 65.0, "cpu_ms_own": 25.0, "cpu_ms_all": 37.5, "alone_p50_ms": 50.0}
    rounds = {
        "orchestrated": [figures(*columns)],
        "choreographed": [figures(*columns, **just | choreographed)],
    }
    run: Results = {"settled_s": 10.0, "ended": {"confirmed": 16}, "trips": 16}
    return {
        "steady": ABOUT | {"rounds": rounds, "wrong": []},
        "counts": {"kinds": {name: figures(*kinds.COUNTS) for name in rounds}},
        "failing": {
            "scenarios": {one.name: {kind: [figures(*kinds.FAILURES)] for kind in rounds} for one in FAILING}
        },
        "killed": {
            "kinds": {
                name: {"nothing": [run], **{part: [run, run] for part in parts}}
                for name, parts in Kinds().kill.items()
            }
        },
        "forgotten": {"kinds": dict.fromkeys(rounds, run)},
        "lines": {"orchestrated": 2, "choreographed": 3, "both": 4, "besides": 1},
    }


def of_telemetry() -> Results:
    rounds = {name: [figures(*telemetry.COLUMNS)] * 2 for name in ("before", "after")}
    return {part: ABOUT | {"rounds": rounds} for part in telemetry.TELEMETRY.parts}


def of_profile() -> Results:
    one = {
        "cpu": figures(*profile.CPU),
        "work": {"worker": {"calls to partners": 2.0}, "api": {"the record": 1.0}},
        "operations": {"history: StartWorkflowExecution": 1.0, "history: Seldom": 0.1},
    }
    about = ABOUT["about"] | {"trips": 10}
    return {"profile": {"about": about, "confirmed": one, "failed": one, "wrong": []}}


def of_attack() -> Results:
    attacks = {
        name: {
            "rounds": [figures(*attack.READ)],
            "quiet_ms": [2.0] * 100,
            "attacked_ms": [9.9] * 100,
            "seen": {"open 200": 7},
        }
        for name in attack.TITLES
    }
    waits = [figures(*attack.WAIT, started_s=2.0) for _ in range(2)]
    return {
        "reading": ABOUT | {"attacks": attacks, "wrong": []},
        "neighbour": ABOUT | {"waits": waits, "backlog": 1000, "streams": 2000},
    }


MADE_UP: dict[str, Callable[[], Results]] = {
    "backoff": of_backoff,
    "guard": of_guard,
    "contest": of_contest,
    "kinds": of_kinds,
    "growth": of_growth,
    "size": of_size,
    "telemetry": of_telemetry,
    "buys": of_buys,
    "profile": of_profile,
    "attack": of_attack,
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
    assert len(drawn) == len(bench.pictures(results))
    assert all(f"(pictures/{name})" in page for name in drawn)


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
    ("of", "figure", "value"),
    [
        ("orchestrated", "trips_per_s", 29.5),
        ("orchestrated", "cpu_ms_own", 35.0),
        ("orchestrated", "cpu_ms_engine", 28.0),
        ("orchestrated", "actions", 4.1),
        ("orchestrated", "alone_p50_ms", 106.0),
        ("choreographed", "trips_per_s", 38.8),
        ("choreographed", "cpu_ms_all", 38.0),
        ("choreographed", "alone_p50_ms", 106.0),
        ("restate", "trips_per_s", 44.0),
        ("restate", "cpu_ms_own", 12.6),
    ],
)
def test_a_bar_of_the_contest_is_missed_by_a_little(of: str, figure: str, value: float) -> None:
    assert len(missed("contest", of_contest(of, **{figure: value}))) == 1


def test_the_contest_has_no_bar_beside_one_who_was_left_out() -> None:
    results = of_contest()
    del results["contest"]["rounds"]["restate"]
    assert not any("Restate" in bar.text for bar in contest.bars(results))


def test_the_contest_names_who_was_left_out_and_why() -> None:
    assert contest.tables(of_contest())["run"].endswith(" Left out: a peer (no server).")


def test_a_ratio_is_of_the_same_round() -> None:
    results = of_contest()
    rounds = results["contest"]["rounds"]
    for name, rates in {"orchestrated": (10.0, 40.0), "textbook": (5.0, 40.0)}.items():
        rounds[name] = [rounds[name][0] | {"trips_per_s": rate} for rate in rates]
    assert contest.bars(results)[0].figure == 1.5


@pytest.mark.parametrize(
    ("figure", "value"),
    [("trips_per_s", 64.9), ("cpu_ms_own", 25.1), ("cpu_ms_all", 37.6), ("alone_p50_ms", 50.1)],
)
def test_a_choreographed_trip_that_costs_a_little_more_misses_its_bar(figure: str, value: float) -> None:
    assert len(missed("kinds", of_kinds(**{figure: value}))) == 1


def test_trips_that_settle_late_or_are_lost_with_the_broker_are_missed() -> None:
    results = of_kinds()
    late: Results = {"settled_s": 10.1, "ended": {"confirmed": 15, "failed": 1}, "trips": 16}
    results["killed"]["kinds"]["choreographed"]["trips"] = [late]
    results["forgotten"]["kinds"]["choreographed"] = late
    assert len(missed("kinds", results)) == 3


def test_the_summary_says_which_kind_is_ahead() -> None:
    lines = kinds.tables(of_kinds())["summary"].splitlines()
    assert "| trips a second | 50.0 | 65.0 | choreographed |" in lines
    assert "| lines of code of its own | 2 | 4 | orchestrated |" in lines
    assert "| p50 at the same rate, ms | 50 | 50 | – |" in lines


def test_a_leak_and_a_trip_that_was_not_confirmed_are_missed() -> None:
    results = of_growth()
    results["memory"]["samples"] = [[100 * n, 90_000, 80_000 + 21 * n] for n in range(100)]
    results["burst"]["wrong"] = ["1 of the burst ended failed"]
    assert missed("growth", results) == [
        "memory of the api, kB a 1,000 trips that it surely grows",
        "trips that were not confirmed",
    ]
    results["memory"]["trips"] = 9_999
    assert len(missed("growth", results)) == 1, "a short run is all warm-up"


def test_a_slow_page_a_slower_audit_and_saves_that_listeners_hold_up_are_missed() -> None:
    results = of_size()
    results["full"]["reading"]["first page"]["p50_ms"] = 50.1
    results["full"]["auditing"]["took_s"][BEHIND] = [2.1, 3.15]
    results["listening"]["rates"][ALL] = [79.0, 160.0]
    assert missed("size", results) == [
        "first page, p50, ms",
        "an audit with trips behind, surely beside one without",
        "saves a second with listeners, beside none",
    ]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("reading", lambda part: part["attacks"]["head"].update(quiet_ms=[1.9] * 100)),
        ("reading", lambda part: part["attacks"]["all"]["rounds"][0].update(memory_mb=65.0)),
        ("neighbour", lambda part: part["waits"][1].update(started_s=2.1)),
    ],
)
def test_an_attack_that_others_feel_misses_its_bar(part: str, change: Callable[[Results], None]) -> None:
    results = of_attack()
    change(results[part])
    assert len(missed("attack", results)) == 1


@pytest.mark.parametrize("column", buys.MUST_BE_NONE, ids=lambda column: column.figure)
def test_harm_is_missed_with_all_mechanisms_at_work_and_expected_without(column: Column) -> None:
    results = of_buys()
    for name in results:
        results[name]["outcomes"] = results[name]["outcomes"] | {column.figure: 2 * (name != "again")}
    assert missed("buys", results) == [f"{TITLES['all']}: {column.heading}"]


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for the table speed"):
        filled("# A page\n", {"speed": "| |"}, "contest")
