"""Results, for people."""

from collections import Counter
from collections.abc import Mapping, Sequence

from trials.chaos import cancels, matrix
from trials.chaos.moments import Moment
from trials.chaos.soak import Result
from trip.partner import Partner

SHOWN = 30
WIDTH = 28


def of_soak(result: Result) -> str:
    """The table of a run with random faults."""
    done = result.damage
    rows = (
        ("seed", str(result.seed)),
        (
            "trips",
            f"{result.trips:,} in {result.load_s:.0f} s, {result.late:,} of them had to wait their turn",
        ),
        ("kill -9", _listed(done.kills)),
        ("stopped", _listed(done.stops)),
        ("calls to partners", f"{done.calls:,}"),
        ("  answered 5xx or 429", f"{done.faulty:,} ({_share(done.faulty, done.calls)})"),
        ("  cut after the effect", f"{done.cut:,} ({_share(done.cut, done.calls)})"),
        ("outcomes", _listed(result.outcomes)),
        ("failures", _listed(result.failures)),
        ("cancels answered", _listed(result.cancels)),
        ("front door's answers", _listed(result.answers)),
        ("under way at the last fault", str(result.under_way_at_end)),
        ("time to settle", f"{result.settle_s:.1f} s"),
        ("discrepancies", str(len(result.discrepancies))),
    )
    return "\n".join(f"{name:<{WIDTH}} {text}" for name, text in rows)


def of_matrix(outcomes: Sequence[matrix.Outcome]) -> str:
    """A row for each process and moment, a column for each step."""
    found = {one.cell: one for one in outcomes}
    lines = [f"{'process':<9} {'moment':<40} " + " ".join(f"{step.value:<18}" for step in Partner)]
    for process in matrix.Process:
        for moment in Moment:
            cells = [found[matrix.Cell(process, moment, step)] for step in Partner]
            shown = [f"{'WRONG' if one.wrong else one.status} {one.took_s:.1f} s" for one in cells]
            lines.append(
                f"{process.value:<9} {moment.value:<40} " + " ".join(f"{text:<18}" for text in shown)
            )
    return "\n".join(lines)


def of_cancels(outcomes: Sequence[cancels.Outcome]) -> str:
    """A row for each way and what came of it."""
    rows = Counter(
        (one.way.value, "killed" if one.worker_killed else "left", str(one.answer or "-"), one.status)
        for one in outcomes
    )
    lines = [f"{'cancel':<38} {'worker':<7} {'answer':<7} {'ended':<10} {'trips':>5}"]
    lines += [f"{a:<38} {b:<7} {c:<7} {d:<10} {count:>5}" for (a, b, c, d), count in sorted(rows.items())]
    return "\n".join(lines)


def of_violations(violations: Sequence[str]) -> str:
    """What must not have been, SHOWN at most."""
    more = len(violations) - SHOWN
    lines = [f"violations: {len(violations)}", *(f"  {violation}" for violation in violations[:SHOWN])]
    return "\n".join(lines + ([f"  and {more} more"] if more > 0 else []))


def _listed(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
    return f"{total}: {parts}" if parts else "0"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"
