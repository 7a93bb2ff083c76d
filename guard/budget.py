"""How many retries a partner may be sent: a share of its calls, so that a storm of retries cannot grow.

The idea is that of Finagle's RetryBudget (a fifth of the requests on top of a minimum a second, counted
over a window) and of gRPC's retry throttling (gRFC A6, tokens a server). Two things differ here. A spent
budget only puts a retry off. And a part of the budget is kept for urgent calls: undos and confirmations.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guard.backoff import MIN_DELAY_S

BUCKETS = 10


class BudgetPolicy(BaseModel):
    """Over `window_s` seconds, retries <= `min_per_s * window_s + ratio * calls`, in the whole fleet.

    `calls` are first attempts: retries earn no further retries. The share `reserve` is kept for urgent calls.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ratio: Annotated[float, Field(ge=0, le=1)] = 0.2
    window_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    min_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    reserve: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _an_idle_partner_gets_a_retry(self) -> Self:
        if self.share(urgent=False) * self.floor < 1:
            raise ValueError("min_per_s * window_s * (1 - reserve) must be 1 or more; raise min_per_s")
        return self

    @property
    def floor(self) -> float:
        """Retries in a window that no calls have to earn."""
        return self.min_per_s * self.window_s

    def share(self, *, urgent: bool) -> float:
        """The part of the budget that may be used up."""
        return 1.0 if urgent else 1 - self.reserve


@dataclass(slots=True)
class _Bucket:
    index: int
    calls: int = 0
    retries: int = 0


class RetryBudget:
    """One partner's budget, as one process sees it. `now` is in seconds of a clock, best a monotonic one.

    `processes` tells how many share the floor; each earns retries by its own calls. A clock that steps back
    is taken to stand still. Memory is bounded by BUCKETS, whatever the calls.
    """

    def __init__(self, policy: BudgetPolicy, processes: Callable[[], int] = lambda: 1) -> None:
        self._policy = policy
        self._processes = processes
        self._bucket_s = policy.window_s / BUCKETS
        # The running bucket is not over yet. So a whole window needs one bucket more.
        self._buckets: deque[_Bucket] = deque(maxlen=BUCKETS + 1)

    def record_call(self, now: float) -> None:
        """Count a first attempt."""
        self._running(now).calls += 1

    def ask(self, now: float, *, urgent: bool) -> float:
        """0.0 if a retry may go now; it is then counted. Else the seconds after which to ask again.

        The wait is positive and at most a window and one bucket long. An urgent retry waits no longer than
        another. The end of the wait promises nothing: others may come first.
        """
        running = self._running(now)
        if self._has_room(running.index, urgent):
            running.retries += 1
            return 0.0
        index = running.index + 1
        while not self._has_room(index, urgent):
            index += 1
        since = max(now, running.index * self._bucket_s)
        return max(MIN_DELAY_S, index * self._bucket_s - since)

    def _running(self, now: float) -> _Bucket:
        index = int(now // self._bucket_s)
        if not self._buckets or self._buckets[-1].index < index:
            self._buckets.append(_Bucket(index))
        return self._buckets[-1]

    def _has_room(self, index: int, urgent: bool) -> bool:
        """Whether one more retry fits in the bucket `index`.

        If an edge of the window falls within a bucket, the stricter reading counts: the retries of such a
        bucket count in full, its calls do not count.
        """
        retries = sum(b.retries for b in self._buckets if b.index >= index - BUCKETS)
        calls = sum(b.calls for b in self._buckets if b.index > index - BUCKETS)
        allowed = self._floor() + self._policy.ratio * calls
        return retries + 1 <= self._policy.share(urgent=urgent) * allowed

    def _floor(self) -> float:
        """This process's part. An idle partner gets a retry, however many processes there are."""
        return max(self._policy.floor / self._processes(), 1 / self._policy.share(urgent=False))
