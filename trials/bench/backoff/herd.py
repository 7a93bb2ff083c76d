"""The booking herd: 1,000 clients call a partner that is down for 20 s and then takes 200 calls a second.

The model that gives the known figures: all clients call at 0 s. A call takes |N(10, 2)| ms to its answer.
Once up, the partner takes the first 20 calls of each 100 ms and refuses the rest at once. A refused client
waits and calls again, without end.
"""

import heapq
import random
from collections import Counter
from statistics import fmean
from typing import NamedTuple

from guard.backoff import BackoffPolicy, Jitter, next_delay

CLIENTS = 1_000
OUTAGE_S = 20.0
SLOT_S = 0.1
CALLS_A_SLOT = 20
LATENCY_S, LATENCY_SD_S = 0.010, 0.002
BASE_S, CAP_S = 0.1, 10.0

STRATEGIES: dict[str, BackoffPolicy] = {
    "fixed": BackoffPolicy(base_s=BASE_S, cap_s=BASE_S, jitter=Jitter.NONE),
    "exponential": BackoffPolicy(base_s=BASE_S, cap_s=CAP_S, jitter=Jitter.NONE),
    **{
        jitter.value: BackoffPolicy(base_s=BASE_S, cap_s=CAP_S, jitter=jitter)
        for jitter in (Jitter.EQUAL, Jitter.FULL, Jitter.DECORRELATED)
    },
}


class Herd(NamedTuple):
    """Calls a client, when the last was served, in s, and the calls that came in each slot of SLOT_S."""

    calls_a_client: float
    last_done_s: float
    calls_by_slot: dict[int, int]


def stampede(policy: BackoffPolicy, rng: random.Random, clients: int = CLIENTS) -> Herd:
    answers = [(abs(rng.gauss(LATENCY_S, LATENCY_SD_S)), client) for client in range(clients)]
    heapq.heapify(answers)
    attempts = [0] * clients
    delays: list[float | None] = [None] * clients
    calls: Counter[int] = Counter()
    now_s = 0.0
    while answers:
        now_s, client = heapq.heappop(answers)
        slot = int(now_s / SLOT_S)
        calls[slot] += 1
        if now_s >= OUTAGE_S and calls[slot] <= CALLS_A_SLOT:
            continue
        wait_s = next_delay(policy, attempts[client], rng.uniform, previous_s=delays[client])
        delays[client] = wait_s
        attempts[client] += 1
        heapq.heappush(answers, (now_s + wait_s + abs(rng.gauss(LATENCY_S, LATENCY_SD_S)), client))
    return Herd(calls.total() / clients, now_s, dict(calls))


def average(strategy: str, trials: int, seed: int) -> Herd:
    """The mean of `trials` runs, with the calls by slot of the first; the same for the same seed."""
    rng = random.Random(f"{seed}/{strategy}")
    runs = [stampede(STRATEGIES[strategy], rng) for _ in range(trials)]
    calls_a_client = fmean(run.calls_a_client for run in runs)
    return Herd(calls_a_client, fmean(run.last_done_s for run in runs), runs[0].calls_by_slot)
