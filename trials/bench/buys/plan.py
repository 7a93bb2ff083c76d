"""The trips that a seed stands for, and when each is booked, drawn before anything is started."""

import random
from dataclasses import dataclass
from datetime import date, timedelta

from trials.orders import Json, bench_order

WAITS_SHARE = 0.5
DECLINED_SHARE = 0.05
RESENT_SHARE = 0.05
DECLINED_CARD = "tok_declined"
_DAYS_AHEAD = 30
_DAYS = 900


@dataclass(frozen=True)
class PlannedTrip:
    """One trip, booked `at_s` seconds after its phase began; its `label` is its traveller's name.

    With `is_resent` the traveller does not get the answer, and sends the order again.
    """

    label: str
    at_s: float
    order: Json
    is_resent: bool = False

    @property
    def waits(self) -> bool:
        return bool(self.order["when_partner_down"] == "wait")

    @property
    def is_declined(self) -> bool:
        return bool(self.order["payment"]["card_token"] == DECLINED_CARD)


@dataclass(frozen=True)
class Plan:
    """A calm phase, then a rough one; seconds, and trips a second.

    Calls fail by chance all through the rough phase. One partner is down from `down_s` to `up_s`. The process
    that carries the trips is killed at `kill_s`, while trips that waited catch up. Trips that are under way
    at the end get `settle_s`.
    """

    seed: int = 7
    per_s: float = 3.0
    calm_s: float = 8.0
    rough_s: float = 26.0
    down_s: float = 4.0
    up_s: float = 16.0
    kill_s: float = 22.0
    settle_s: float = 45.0

    def calm_trips(self, today: date) -> list[PlannedTrip]:
        return self._trips("calm", self.calm_s, today)

    def rough_trips(self, today: date) -> list[PlannedTrip]:
        """Half of them would rather wait for a partner that is down; some have a card that is declined."""
        return self._trips("rough", self.rough_s, today)

    def _trips(self, phase: str, seconds: float, today: date) -> list[PlannedTrip]:
        draw = random.Random(f"{self.seed}/{phase}")
        found: list[PlannedTrip] = []
        at_s = draw.expovariate(self.per_s)
        while at_s < seconds:
            found.append(_trip(draw, f"{phase}-{len(found)}", at_s, today, is_rough=phase == "rough"))
            at_s += draw.expovariate(self.per_s)
        return found


QUICK = Plan(calm_s=3.0, rough_s=14.0, down_s=2.0, up_s=7.0, kill_s=11.0)


def _trip(draw: random.Random, label: str, at_s: float, today: date, *, is_rough: bool) -> PlannedTrip:
    first = today + timedelta(days=_DAYS_AHEAD + draw.randrange(_DAYS))
    waiting, declined, resent = draw.random(), draw.random(), draw.random()
    order = bench_order(first, when_partner_down="wait" if waiting < WAITS_SHARE else "fail")
    order["traveller"]["name"] = label
    if is_rough and declined < DECLINED_SHARE:
        order["payment"]["card_token"] = DECLINED_CARD
    return PlannedTrip(label, at_s, order, is_resent=is_rough and resent < RESENT_SHARE)
