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

from guard.backoff import BackoffPolicy, Jitter, keyed_delay
from trials.orders import STAYS, small_order
from trials.statistics import fit, percentile
from trials.traveller import Traveller
from trials.world import QUIET, fresh_ground
from trip.partner import Verb

ATTEMPTS = 5
BASE_S, CAP_S = 4.0, 8.0
STARTS_PER_S = 5
WAIT_S = 90.0
JITTER = dict(zip(STAYS, (Jitter.FULL, Jitter.EQUAL), strict=False))
SETTINGS = QUIET | {
    "TRIPS_RETRY_BASE_S": str(BASE_S),
    "TRIPS_RETRY_CAP_S": str(CAP_S),
    "TRIPS_RETRY_ATTEMPTS": str(ATTEMPTS),
    **{f"TRIPS_{partner.upper()}_RETRY_JITTER": jitter for partner, jitter in JITTER.items()},
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "10000",
}

Row = dict[str, Any]


async def measure(retries: int) -> dict[str, Row]:
    """A row for each jitter, with about so many retries."""
    async with fresh_ground(SETTINGS) as ground:
        await ground.traveller.warm_up()
        rows = await asyncio.gather(*(_row(ground.traveller, partner, retries) for partner in JITTER))
    return dict(zip(JITTER.values(), rows, strict=True))


async def _row(traveller: Traveller, partner: str, retries: int) -> Row:
    await traveller.break_partner(partner, error_rate=1, status=503, verbs=["PUT"])
    trips = []
    for _ in range(retries // (ATTEMPTS - 1)):
        trips.append((await traveller.book(small_order(partner)))["trip_id"])
        await asyncio.sleep(1 / STARTS_PER_S)
    for trip_id in trips:
        await traveller.until(trip_id, within_s=WAIT_S)
    at: dict[str, list[float]] = defaultdict(list)
    for call in await traveller.received(partner):
        if call.verb == "PUT" and call.key in trips:
            at[call.key].append(call.at)
    measured = {key: [later - earlier for earlier, later in pairwise(moments)] for key, moments in at.items()}
    return _judged(policy(JITTER[partner]), partner, measured)


def policy(jitter: str) -> BackoffPolicy:
    return BackoffPolicy(base_s=BASE_S, cap_s=CAP_S, attempts=ATTEMPTS, jitter=Jitter(jitter))


def _judged(asked_for: BackoffPolicy, partner: str, measured: dict[str, list[float]]) -> Row:
    asked = {
        key: [
            keyed_delay(asked_for, attempt, f"{key}/{partner}/{Verb.RESERVE}") for attempt in range(len(call))
        ]
        for key, call in measured.items()
    }
    late = [one - drawn for key in measured for one, drawn in zip(measured[key], asked[key], strict=True)]
    return {
        "retries": len(late),
        **fit(asked_for, list(measured.values()))._asdict(),
        "dispatch_p50_ms": 1000 * percentile(late, 0.5),
        "dispatch_mean_ms": 1000 * fmean(late),
        "dispatch_max_ms": 1000 * max(late),
        "measured_s": list(measured.values()),
    }
