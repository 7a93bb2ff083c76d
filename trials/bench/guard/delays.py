"""The delays between real retries, from the partners' own record, beside the distribution asked for.

One system, with one partner retried under full jitter and another under equal jitter. Both answer every hold
with 503. A delay runs from the arrival of one call to that of the next. So it includes the answer's way back
(about a millisecond) and the way of the next attempt through the server.
"""

import asyncio
from collections import defaultdict
from itertools import pairwise
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from guard.backoff import BackoffPolicy, Jitter, bound, keyed_delay
from trials.orders import STAYS, small_order
from trials.report import Bar, table
from trials.statistics import fit, percentile
from trials.traveller import Traveller
from trials.world import QUIET, fresh_ground
from trip.partner import Verb

RETRIES = 200
ATTEMPTS = 5
BASE_S, CAP_S = 4.0, 8.0
STARTS_PER_S = 5
WAIT_S = 90.0
LOWEST_P = 0.01
BINS = 20
JITTER = dict(zip(STAYS, (Jitter.FULL, Jitter.EQUAL), strict=False))
SETTINGS = QUIET | {
    "TRIPS_RETRY_BASE_S": str(BASE_S),
    "TRIPS_RETRY_CAP_S": str(CAP_S),
    "TRIPS_RETRY_ATTEMPTS": str(ATTEMPTS),
    **{f"TRIPS_{partner.upper()}_RETRY_JITTER": jitter for partner, jitter in JITTER.items()},
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "10000",
}


async def measure() -> list[dict[str, Any]]:
    async with fresh_ground(SETTINGS) as ground:
        await ground.traveller.warm_up()
        return list(await asyncio.gather(*(_row(ground.traveller, partner) for partner in JITTER)))


async def _row(traveller: Traveller, partner: str) -> dict[str, Any]:
    await traveller.break_partner(partner, error_rate=1, status=503, verbs=["PUT"])
    trips = []
    for _ in range(RETRIES // (ATTEMPTS - 1)):
        trips.append((await traveller.book(small_order(partner)))["trip_id"])
        await asyncio.sleep(1 / STARTS_PER_S)
    for trip_id in trips:
        await traveller.until(trip_id, within_s=WAIT_S)
    at: dict[str, list[float]] = defaultdict(list)
    for call in await traveller.received(partner):
        if call.verb == "PUT" and call.key in trips:
            at[call.key].append(call.at)
    measured = {key: [later - earlier for earlier, later in pairwise(moments)] for key, moments in at.items()}
    return _judged(_policy(JITTER[partner]), partner, measured)


def _policy(jitter: Jitter) -> BackoffPolicy:
    return BackoffPolicy(base_s=BASE_S, cap_s=CAP_S, attempts=ATTEMPTS, jitter=jitter)


def _judged(policy: BackoffPolicy, partner: str, measured: dict[str, list[float]]) -> dict[str, Any]:
    asked = {
        key: [keyed_delay(policy, attempt, f"{key}/{partner}/{Verb.RESERVE}") for attempt in range(len(call))]
        for key, call in measured.items()
    }
    late = [one - drawn for key in measured for one, drawn in zip(measured[key], asked[key], strict=True)]
    return {
        "jitter": policy.jitter,
        "retries": len(late),
        **fit(policy, list(measured.values()))._asdict(),
        "dispatch_p50_s": percentile(late, 0.5),
        "dispatch_mean_s": fmean(late),
        "dispatch_max_s": max(late),
        "measured_s": list(measured.values()),
        "asked_s": list(asked.values()),
    }


def table_of(rows: list[dict[str, Any]]) -> str:
    shown = (
        (
            row["jitter"],
            row["retries"],
            f"{row['statistic']:.3f}",
            f"{row['p']:.3f}",
            *(f"{1000 * row[f'dispatch_{name}_s']:.0f} ms" for name in ("p50", "mean", "max")),
        )
        for row in rows
    )
    return table(("jitter", "retries", "statistic", "p", "dispatch, p50", "mean", "max"), shown)


def bars(rows: list[dict[str, Any]]) -> list[Bar]:
    """No fit may be as bad as one in a hundred that chance gives."""
    return [Bar(f"{row['jitter']} jitter: p", row["p"], LOWEST_P, at_least=True) for row in rows]


def picture(rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    for panel, row in zip(figure.subplots(1, len(rows), sharey=True), rows, strict=True):
        policy = _policy(row["jitter"])
        shares = [one / bound(policy, n) for call in row["measured_s"] for n, one in enumerate(call)]
        panel.hist(shares, bins=BINS, range=(0, 1), color="#1f77b4")
        panel.set_title(f"{row['jitter']} jitter, p = {row['p']:.2f}", loc="left", fontsize=10)
        panel.set_xlabel("delay as a share of its bound")
    figure.supylabel("retries")
    return figure
