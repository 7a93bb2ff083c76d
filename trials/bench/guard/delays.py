"""The delays between real retries, from the partners' own record, beside the distribution asked for.

One system, whose flight partner is retried under full jitter and whose hotel partner under equal jitter.
Both answer every hold with 503. A delay runs from the arrival of one call to the arrival of the next, so it
holds the answer's way back (about a millisecond) and the way of the next attempt through the server.
"""

import asyncio
from collections import defaultdict
from typing import Any

from guard.backoff import BackoffPolicy, Jitter, keyed_delay
from tests.conftest import RunningSystem
from tests.traveller import Traveller
from trials.bench.guard.figures import delays, fit, mean, median
from trials.bench.guard.ground import UNHURRIED, all_ended, caller, calls_of, fresh_system, small_order
from trip.partner import Verb

RETRIES = 200
ATTEMPTS = 5
BASE_S, CAP_S = 4.0, 8.0
STARTS_PER_S = 5
WAIT_S = 90.0
JITTER = {"flight": Jitter.FULL, "hotel": Jitter.EQUAL}
ENVIRONMENT = UNHURRIED | {
    "TRIPS_RETRY_BASE_S": str(BASE_S),
    "TRIPS_RETRY_CAP_S": str(CAP_S),
    "TRIPS_RETRY_ATTEMPTS": str(ATTEMPTS),
    "TRIPS_FLIGHT_RETRY_JITTER": JITTER["flight"],
    "TRIPS_HOTEL_RETRY_JITTER": JITTER["hotel"],
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "10000",
}


def measure() -> list[dict[str, Any]]:
    """A row for each jitter."""
    with fresh_system(ENVIRONMENT) as system:
        return asyncio.run(_measure(system))


async def _measure(system: RunningSystem) -> list[dict[str, Any]]:
    async with caller(system) as traveller:
        return await asyncio.gather(*(_row(traveller, partner) for partner in JITTER))


async def _row(traveller: Traveller, partner: str) -> dict[str, Any]:
    await traveller.break_partner(partner, error_rate=1, status=503, verbs=["PUT"])
    trips = []
    for _ in range(RETRIES // (ATTEMPTS - 1)):
        trips.append((await traveller.book(small_order(partner)))["trip_id"])
        await asyncio.sleep(1 / STARTS_PER_S)
    await all_ended(traveller, trips, WAIT_S)
    at: dict[str, list[float]] = defaultdict(list)
    for call in await calls_of(traveller, partner):
        if call.verb == "PUT" and call.key in trips:
            at[call.key].append(call.at)
    measured = {key: delays(moments) for key, moments in at.items()}
    policy = BackoffPolicy(base_s=BASE_S, cap_s=CAP_S, attempts=ATTEMPTS, jitter=JITTER[partner])
    return _judged(policy, partner, measured)


def _judged(policy: BackoffPolicy, partner: str, measured: dict[str, list[float]]) -> dict[str, Any]:
    asked = {
        key: [keyed_delay(policy, attempt, f"{key}/{partner}/{Verb.RESERVE}") for attempt in range(len(call))]
        for key, call in measured.items()
    }
    late = [one - drawn for key in measured for one, drawn in zip(measured[key], asked[key], strict=True)]
    tested = fit(policy, list(measured.values()))
    return {
        "jitter": policy.jitter,
        "retries": len(late),
        "statistic": tested.statistic,
        "p": tested.p,
        "dispatch_mean_s": mean(late),
        "dispatch_p50_s": median(late),
        "dispatch_max_s": max(late),
        "measured_s": list(measured.values()),
        "asked_s": list(asked.values()),
    }
