"""What a seed stands for: the trips, the faults and the kills, drawn before anything is started."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from trip.partner import Partner

Json = dict[str, Any]

PROCESSES = (
    "worker-1", "worker-2", "api", "temporal", "postgres", "mongo", "redis", "falkordb",
    *(partner.value for partner in Partner),
)  # fmt: skip

GAP_S = (5.0, 20.0)
STOP_S = (6.0, 12.0)
"""Most calls' time limit is 5 s, the payment's 10 s."""
REROLL_S = (2.0, 5.0)
ERROR_RATE = 0.2
DROP_RATE = 0.125
"""Of the calls that no error hit: a tenth of all."""

_PARTS = (
    ("hotel", "tour", "flight"),
    ("hotel", "tour"),
    ("tour", "flight"),
    ("hotel",),
    ("tour",),
    ("flight",),
)
_DAYS = 300


@dataclass(frozen=True)
class PlannedTrip:
    """One trip: when it is booked, in seconds from the start, and what is done to it afterwards.

    `cancel_after_s` is counted from its acceptance. `wait_s` is sent as `Prefer: wait`.
    """

    key: str
    at_s: float
    body: Json
    cancel_after_s: float | None
    wait_s: int


@dataclass(frozen=True)
class PlannedKill:
    """What befalls one process, `gap_s` after what befell one before; `stop_s` None means kill -9."""

    process: str
    gap_s: float
    stop_s: float | None


@dataclass(frozen=True)
class PlannedFaults:
    """A partner's faults for `for_s` seconds."""

    faults: Json
    for_s: float


def trips(seed: int, count: int, per_s: float, today: date) -> list[PlannedTrip]:
    """`count` trips of every kind, `per_s` a second on average."""
    draw = random.Random(f"{seed}/trips")
    planned, at_s = [], 0.0
    for number in range(count):
        at_s += draw.expovariate(per_s)
        planned.append(
            PlannedTrip(
                key=f"chaos-{seed}-{number}",
                at_s=at_s,
                body=_order(draw, today),
                cancel_after_s=draw.uniform(0, 4) if draw.random() < 0.12 else None,
                wait_s=draw.choice((0, 0, 0, 5)),
            )
        )
    return planned


def kills(seed: int) -> Iterator[PlannedKill]:
    """Kills without end. Each process has its turn before any has another."""
    draw = random.Random(f"{seed}/kills")
    while True:
        for process in draw.sample(PROCESSES, len(PROCESSES)):
            stop_s = draw.uniform(*STOP_S) if draw.random() < 0.3 else None
            yield PlannedKill(process, draw.uniform(*GAP_S), stop_s)


def faults(seed: int, partner: str) -> Iterator[PlannedFaults]:
    """A partner's faults without end: a fifth of its calls fail, a tenth are cut after the effect."""
    draw = random.Random(f"{seed}/faults/{partner}")
    while True:
        yield PlannedFaults(
            {
                "error_rate": ERROR_RATE,
                "status": draw.choice((500, 502, 503, 504)),
                "drop_reply_rate": DROP_RATE,
            }
            | draw.choice(
                ({}, {}, {"status": 429}, {"status": 429, "retry_after_s": 1}, {"latency_ms": 400})
            ),
            draw.uniform(*REROLL_S),
        )


def _order(draw: random.Random, today: date) -> Json:
    first = today + timedelta(days=draw.randint(30, 30 + _DAYS))
    parts = draw.choices(_PARTS, weights=(6, 1, 1, 1, 1, 1))[0]
    member = draw.choices(("BENCH-MEMBER", "M-1001", "M-1002", "M-1003"), weights=(12, 4, 1, 1))[0]
    body: Json = {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com", "member_id": member},
        "payment": {"card_token": _card(draw), "currency": "JPY"},
        "when_partner_down": draw.choice(("fail", "wait", "wait")),
    }
    body |= {part: _PART[part](draw, first) for part in parts}
    if draw.random() < 0.6:
        # The last is more than any price: points pay all.
        body["points"] = {"redeem": draw.choice((50, 500, 5000, 10**9))}
    if draw.random() < 0.1:
        body["deadline_s"] = draw.randint(1, 8)
    return body


def _card(draw: random.Random) -> str:
    return draw.choices(("tok_visa", "tok_declined", "tok_slow"), weights=(20, 2, 1))[0]


def _hotel(draw: random.Random, first: date) -> Json:
    names = ("TYO-GRAND", "KYO-RYOKAN", "OSA-POD", "NO-SUCH-HOTEL")
    hotel = draw.choices(names, weights=(8, 8, 2, 1))[0]
    # One room in all: trips on the same few nights find it sold out.
    start = first.replace(day=1) if hotel == "OSA-POD" else first
    nights = draw.randint(1, 4)
    return {
        "hotel_id": hotel,
        "check_in": str(start),
        "check_out": str(start + timedelta(days=nights)),
        "rooms": 1,
    }


def _tour(draw: random.Random, first: date) -> Json:
    tour = draw.choices(("KYOTO-WALK", "FUJI-HIKE", "NO-SUCH-TOUR"), weights=(12, 3, 1))[0]
    day = first.replace(day=1) if tour == "FUJI-HIKE" else first
    return {"tour_id": tour, "date": str(day), "seats": draw.randint(1, 4)}


def _flight(draw: random.Random, first: date) -> Json:
    flight = draw.choices(("NH847", "JL123", "NO-SUCH-FLIGHT"), weights=(12, 6, 1))[0]
    return {"flight_no": flight, "date": str(first), "seats": draw.randint(1, 4)}


_PART = {"hotel": _hotel, "tour": _tour, "flight": _flight}
