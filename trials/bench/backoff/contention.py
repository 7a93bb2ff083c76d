"""Clients that contend for one row under optimistic locking: the model of AWS's backoff simulator.

Each client reads the row's version and writes with it. If another was first, it waits and starts over. Every
message takes |N(10, 2)| ms. The model is that of aws-samples/aws-arch-backoff-simulator, which counts a
client's first failure as attempt 1; so it is here.
"""

import heapq
import random
from collections.abc import Callable
from enum import IntEnum
from statistics import fmean
from typing import NamedTuple

from guard.backoff import BackoffPolicy, Jitter, next_delay

CLIENTS = (10, 50, 100, 190)
BASE_S, CAP_S = 0.005, 2.0
HOP_S, HOP_SD_S = 0.010, 0.002

Delay = Callable[[int, float | None, random.Random], float]
"""Seconds to wait, from the attempt, the delay before it, and a source of randomness."""


class Contention(NamedTuple):
    completion_ms: float
    writes: float


class _Step(IntEnum):
    READ = 0
    READ_ANSWER = 1
    WRITE = 2
    WRITE_ANSWER = 3


def _backoff(jitter: Jitter) -> Delay:
    policy = BackoffPolicy(base_s=BASE_S, cap_s=CAP_S, jitter=jitter)
    return lambda attempt, previous_s, rng: next_delay(policy, attempt, rng.uniform, previous_s=previous_s)


STRATEGIES: dict[str, Delay] = {
    "none": lambda _attempt, _previous_s, _rng: 0.0,
    "exponential": _backoff(Jitter.NONE),
    "equal": _backoff(Jitter.EQUAL),
    "full": _backoff(Jitter.FULL),
    "decorrelated": _backoff(Jitter.DECORRELATED),
}


def contend(clients: int, delay: Delay, rng: random.Random) -> Contention:
    now_s, version, writes = 0.0, 0, 0
    failures = [0] * clients
    delays: list[float | None] = [None] * clients
    messages: list[tuple[float, int, _Step, int]] = []

    def send(client: int, step: _Step, content: int = 0, wait_s: float = 0.0) -> None:
        arrival_s = now_s + wait_s + abs(rng.gauss(HOP_S, HOP_SD_S))
        heapq.heappush(messages, (arrival_s, client, step, content))

    for client in range(clients):
        send(client, _Step.READ)
    while messages:
        now_s, client, step, content = heapq.heappop(messages)
        if step is _Step.READ:
            send(client, _Step.READ_ANSWER, version)
        elif step is _Step.READ_ANSWER:
            send(client, _Step.WRITE, content)
        elif step is _Step.WRITE:
            won = content == version
            writes, version = writes + 1, version + won
            send(client, _Step.WRITE_ANSWER, won)
        elif not content:
            failures[client] += 1
            wait_s = delays[client] = delay(failures[client], delays[client], rng)
            send(client, _Step.READ, wait_s=wait_s)
    return Contention(now_s * 1000, writes)


def average(clients: int, strategy: str, trials: int, seed: int) -> Contention:
    """The mean of `trials` runs, the same for the same seed."""
    rng = random.Random(f"{seed}/{strategy}/{clients}")
    runs = [contend(clients, STRATEGIES[strategy], rng) for _ in range(trials)]
    return Contention(fmean(run.completion_ms for run in runs), fmean(run.writes for run in runs))
