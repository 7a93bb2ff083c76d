"""What a full record shows: its bars and its tables."""

from pathlib import Path
from statistics import median

from trials.bench.bench import Bench, wrong
from trials.bench.size import parts
from trials.bench.size.auditing import ALONE, BEHIND
from trials.bench.size.listeners import ALL, NONE
from trials.bench.size.plan import QUICK, Plan
from trials.bench.size.reading import FIGURES
from trials.report import Bar, Column, Results, bar_table, figure_table, measured_on
from trials.statistics import Estimate, Spread, ratio

MOST_MS = 50.0
LEAST_SAVES = 0.8
PAGES = ("first page", "page in the middle")

READING = (Column("p50, ms", "p50_ms", 2), Column("p99, ms", "p99_ms", 2))
DROPPING = (
    Column("rows", "rows"),
    Column("batches", "batches"),
    Column("took, s", "s", 1),
    Column("longest batch, ms", "longest_ms"),
    Column("a save meanwhile, p50, ms", "save_p50_ms", 1),
    Column("p99, ms", "save_p99_ms", 1),
)
SPACE = {"trip": "a trip", "event": "an event"}
KINDS = {
    "calm": "nothing",
    "events": "a day's events",
    "undone": "a day's trips that failed",
    "at once": "another day's events in one statement",
}


def audits(results: Results) -> Estimate:
    """An audit with the trips behind beside one without."""
    took_s = results["full"]["auditing"]["took_s"]
    return ratio(took_s[ALONE], took_s[BEHIND])


def saves(results: Results) -> Estimate:
    """Saves a second with all listeners beside those with none."""
    rates = results["listening"]["rates"]
    return ratio(rates[NONE], rates[ALL])


def bars(results: Results) -> list[Bar]:
    found = [Bar("what was wrong", len(wrong(results)), 0)]
    if part := results.get("full"):
        found += [
            Bar(f"{name}, p50, ms", part["reading"][name]["p50_ms"], MOST_MS) for name in (FIGURES, *PAGES)
        ]
        found.append(Bar("an audit with trips behind, surely beside one without", audits(results).low, 1))
    if "listening" in results:
        found.append(
            Bar("saves a second with listeners, beside none", saves(results).value, LEAST_SAVES, True)
        )
    return found


def tables(results: Results) -> dict[str, str]:
    loads = ", ".join(f"{name} {part['about']['load']:.1f}" for name, part in results.items())
    about = list(results.values())[-1]["about"]
    found = {
        "run": f"{measured_on(about)} Load average when each part began: {loads}.",
        "bars": bar_table(bars(results)),
    }
    if part := results.get("full"):
        rows = {SPACE[what]: {"bytes": size} for what, size in part["bytes"].items()}
        found["space"] = figure_table(rows, [Column("bytes, indexes included", "bytes")], "in the record")
        found["reading"] = figure_table(part["reading"], READING, f"{part['about']['trips']:,} trips")
        found["auditing"] = _auditing(results)
        found["dropping"] = _dropping(part)
    if "listening" in results:
        found["listening"] = _listening(results)
    return found


def _auditing(results: Results) -> str:
    part = results["full"]
    titles = {ALONE: "none", BEHIND: f"{part['about']['trips']:,}"}
    rows = {titles[name]: {"s": _spread(took)} for name, took in part["auditing"]["took_s"].items()}
    heading = f"trips behind the last {part['about']['audited']:,}"
    shown = figure_table(rows, [Column("audit, s", "s", 2)], heading)
    return f"{shown}\n\nBeside the first row, audit by audit: {_shown(audits(results))}."


def _dropping(part: Results) -> str:
    found = part["dropping"]
    shown = figure_table({KINDS[name]: row for name, row in found["rows"].items()}, DROPPING, "dropped")
    before, after = found["mb"]
    return (
        f"{shown}\n\nThe table of events and its indexes took {before:,.0f} MB. "
        f"After both days were dropped, a vacuum, and as many new events, they took {after:,.0f} MB."
    )


def _listening(results: Results) -> str:
    part = results["listening"]
    titles = {NONE: "none", ALL: f"{part['about']['listeners']}"}
    rows = {titles[name]: {"rate": _spread(rates)} for name, rates in part["rates"].items()}
    shown = figure_table(rows, [Column("saves a second", "rate")], "listeners")
    return f"{shown}\n\nBeside the first row, round by round: {_shown(saves(results))}."


def _spread(values: list[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def _shown(one: Estimate) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f}), with 95% confidence"


SIZE = Bench(
    "size",
    "a record of a million trips: about half an hour",
    Path("docs/growth.md"),
    Plan(),
    QUICK,
    {"full": parts.full, "listening": parts.listening},
    tables,
    bars,
)
