"""What the guard shows: the herd behind four guards, and the delays of real retries."""

from dataclasses import dataclass
from pathlib import Path

from guard.backoff import bound
from trials.bench.bench import Bench
from trials.bench.drawing import BLUE, Figure, calls_in_outage, panels
from trials.bench.guard import delays, herd
from trials.report import Bar, Column, Results, figure_table

MOST_OF_UNGUARDED = 0.02
LOWEST_P = 0.01
BINS = 20

HERD = (
    Column("calls in the outage", "calls_in_outage"),
    Column("of unguarded, %", "of_unguarded", 1),
    Column(f"in the {herd.SOON_S:g} s after", "calls_soon_after"),
    Column("steady, a second", "steady_per_s", 1),
    Column(f"busiest {1000 * herd.WINDOW_S:.0f} ms before", "steady_busiest"),
    Column("after", "after_busiest"),
)
DELAYS = (
    Column("retries", "retries"),
    Column("statistic", "statistic", 3),
    Column("p", "p", 3),
    Column("dispatch, p50, ms", "dispatch_p50_ms"),
    Column("mean", "dispatch_mean_ms"),
    Column("max", "dispatch_max_ms"),
)


@dataclass(frozen=True)
class Plan:
    """The seconds of the herd, and the retries of each jitter."""

    before_s: float = 10.0
    outage_s: float = 20.0
    after_s: float = 30.0
    retries: int = 200


QUICK = Plan(before_s=3.0, outage_s=8.0, after_s=8.0, retries=20)


async def _herd(plan: Plan) -> Results:
    return {"rows": await herd.measure(plan.before_s, plan.outage_s, plan.after_s)}


async def _delays(plan: Plan) -> Results:
    return {"rows": await delays.measure(plan.retries)}


def tables(results: Results) -> dict[str, str]:
    found = {}
    if "herd" in results:
        found["herd"] = figure_table(results["herd"]["rows"], HERD, "guard")
    if "delays" in results:
        found["delays"] = figure_table(results["delays"]["rows"], DELAYS, "jitter")
    return found


def bars(results: Results) -> list[Bar]:
    """The last guard, which has everything; and no fit as bad as one in a hundred that chance gives."""
    found = []
    if "herd" in results:
        *_, guarded = results["herd"]["rows"].values()
        most = 2 * guarded["steady_busiest"]
        found = [
            Bar("herd: calls in the outage, of unguarded", guarded["of_unguarded"] / 100, MOST_OF_UNGUARDED),
            Bar("herd: busiest stretch after it", guarded["after_busiest"], most),
        ]
    fits = results.get("delays", {"rows": {}})["rows"]
    return found + [Bar(f"{name} jitter: p", row["p"], LOWEST_P, at_least=True) for name, row in fits.items()]


def pictures(results: Results) -> dict[str, Figure]:
    found = {}
    if part := results.get("herd"):
        at_s = {name: row["at_s"] for name, row in part["rows"].items()}
        plan = part["about"]
        seconds = range(-int(plan["before_s"]), int(plan["outage_s"] + plan["after_s"]))
        found["guard-herd"] = calls_in_outage(at_s, plan["outage_s"], seconds)
    if part := results.get("delays"):
        found["guard-delays"], both = panels(2.6, 1, 2, sharey=True)
        for panel, (name, row) in zip(both, part["rows"].items(), strict=True):
            policy = delays.policy(name)
            shares = [one / bound(policy, n) for call in row["measured_s"] for n, one in enumerate(call)]
            panel.hist(shares, bins=BINS, range=(0, 1), color=BLUE)
            title = f"{name} jitter, p = {row['p']:.2f}"
            panel.set(title=title, xlabel="delay as a share of its bound", ylabel="retries")
    return found


GUARD = Bench(
    "guard",
    "a herd in a real outage behind four guards, and the delays of real retries: about eight minutes",
    Path("docs/breaker.md"),
    Plan(),
    QUICK,
    {"delays": _delays, "herd": _herd},
    tables,
    bars,
    pictures,
)
