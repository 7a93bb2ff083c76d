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
    """When the last client was done, and how many writes that took."""

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


class _Contest:
    """One run: the row, its contenders, and the messages under way between them."""

    def __init__(self, clients: int, delay: Delay, rng: random.Random) -> None:
        self.delay, self.rng = delay, rng
        self.now_s, self.version, self.writes = 0.0, 0, 0
        self.failures = [0] * clients
        self.delays: list[float | None] = [None] * clients
        self.messages: list[tuple[float, int, _Step, int]] = []
        self.on = {
            _Step.READ: self.read,
            _Step.READ_ANSWER: self.read_answer,
            _Step.WRITE: self.write,
            _Step.WRITE_ANSWER: self.write_answer,
        }

    def send(self, client: int, step: _Step, content: int = 0, wait_s: float = 0.0) -> None:
        arrival_s = self.now_s + wait_s + abs(self.rng.gauss(HOP_S, HOP_SD_S))
        heapq.heappush(self.messages, (arrival_s, client, step, content))

    def read(self, client: int, _content: int) -> None:
        self.send(client, _Step.READ_ANSWER, self.version)

    def read_answer(self, client: int, version: int) -> None:
        self.send(client, _Step.WRITE, version)

    def write(self, client: int, version: int) -> None:
        self.writes += 1
        won = version == self.version
        self.version += won
        self.send(client, _Step.WRITE_ANSWER, won)

    def write_answer(self, client: int, won: int) -> None:
        if won:
            return
        self.failures[client] += 1
        wait_s = self.delay(self.failures[client], self.delays[client], self.rng)
        self.delays[client] = wait_s
        self.send(client, _Step.READ, wait_s=wait_s)


def contend(clients: int, delay: Delay, rng: random.Random) -> Contention:
    """Run until each of `clients` has written the row once."""
    contest = _Contest(clients, delay, rng)
    for client in range(clients):
        contest.send(client, _Step.READ)
    while contest.messages:
        contest.now_s, client, step, content = heapq.heappop(contest.messages)
        contest.on[step](client, content)
    return Contention(contest.now_s * 1000, contest.writes)


def average(clients: int, strategy: str, trials: int, seed: int) -> Contention:
    """The mean of `trials` runs, the same for the same seed."""
    rng = random.Random(f"{seed}/{strategy}/{clients}")
    runs = [contend(clients, STRATEGIES[strategy], rng) for _ in range(trials)]
    return Contention(fmean(run.completion_ms for run in runs), fmean(run.writes for run in runs))
