"""How many retries a partner may be sent: a share of its calls, so that a storm cannot feed itself.

The idea is that of Finagle's RetryBudget (a fifth of the requests on top of a minimum a second, counted
over a window) and of gRPC's retry throttling (gRFC A6, tokens a server). Two things differ here: a spent
budget puts a retry off and never refuses it, and a part is kept for undos and confirmations.
"""

from collections import deque
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guard.backoff import MIN_DELAY_S
from trip.partner import Verb

BUCKETS = 10


class BudgetPolicy(BaseModel):
    """Over `window_s` seconds, retries <= `min_per_s * window_s + ratio * calls`.

    `calls` are first attempts: retries earn no further retries. Holds may use all of it but the share
    `reserve`; undos and confirmations may use all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ratio: Annotated[float, Field(ge=0, le=1)] = 0.2
    window_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    min_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    reserve: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _an_idle_partner_gets_a_retry(self) -> Self:
        if self.share(Verb.RESERVE) * self.floor < 1:
            raise ValueError("min_per_s * window_s * (1 - reserve) must be 1 or more; raise min_per_s")
        return self

    @property
    def floor(self) -> float:
        """Retries a window that need no calls to earn them."""
        return self.min_per_s * self.window_s

    def share(self, verb: Verb) -> float:
        """The part of the budget that retries of `verb` may use up."""
        return 1 - self.reserve if verb is Verb.RESERVE else 1.0


@dataclass(slots=True)
class _Bucket:
    index: int
    calls: int = 0
    retries: int = 0


class RetryBudget:
    """One partner's budget, as one process sees it. `now` is in seconds of any clock, best a monotonic one.

    A clock that steps back counts as one that stands still. Memory is bounded by BUCKETS, not by calls.
    """

    def __init__(self, policy: BudgetPolicy) -> None:
        self._policy = policy
        self._bucket_s = policy.window_s / BUCKETS
        # The running bucket is only partly over, so one more is needed to cover a whole window.
        self._buckets: deque[_Bucket] = deque(maxlen=BUCKETS + 1)

    def record_call(self, now: float) -> None:
        """Count a first attempt."""
        self._running(now).calls += 1

    def ask(self, now: float, verb: Verb) -> float:
        """0.0 where a retry of `verb` may go now, and it is then counted; else seconds until asking pays.

        The wait is positive, at most a window and one bucket long, and no longer for an undo or a
        confirmation than for a hold. Nothing is promised for its end: others may come first, so ask again.
        """
        running = self._running(now)
        if self._has_room(running.index, verb):
            running.retries += 1
            return 0.0
        index = running.index + 1
        while not self._has_room(index, verb):
            index += 1
        since = max(now, running.index * self._bucket_s)
        return max(MIN_DELAY_S, index * self._bucket_s - since)

    def _running(self, now: float) -> _Bucket:
        index = int(now // self._bucket_s)
        if not self._buckets or self._buckets[-1].index < index:
            self._buckets.append(_Bucket(index))
        return self._buckets[-1]

    def _has_room(self, index: int, verb: Verb) -> bool:
        """Whether one more retry fits in the bucket `index`.

        Retries are counted over the buckets that cover a window wholly, calls over those that it covers
        wholly: where the edges of the window fall within a bucket, the stricter reading counts.
        """
        retries = sum(b.retries for b in self._buckets if b.index >= index - BUCKETS)
        calls = sum(b.calls for b in self._buckets if b.index > index - BUCKETS)
        allowed = self._policy.floor + self._policy.ratio * calls
        return retries + 1 <= self._policy.share(verb) * allowed
