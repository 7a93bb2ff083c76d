"""The trips, faults and kills that a seed stands for, drawn before anything is started."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple, get_args

from partners.catalogue import PARTNERS, STAYS
from partners.declaration import Stay
from trials.orders import MEMBER, Json
from trip.order import Coordination

_ENGINES = sorted({partner.engine for partner in PARTNERS})
_PARTNERS = [partner.name for partner in PARTNERS]
BROKER = "nats"
PROCESSES = ("worker-1", "worker-2", "api", "trips", "temporal", BROKER, *_ENGINES, *_PARTNERS)

GAP_S = (5.0, 20.0)
STOP_S = (6.0, 12.0)
"""Most calls' time limit is 5 s, the payment's 10 s."""
LATEST_LOSS = 1
"""As many others have their turn before the broker loses its store."""
REROLL_S = (2.0, 5.0)
ERROR_RATE = 0.2
DROP_RATE = 0.125
"""Of the calls that no error hit: a tenth of all."""

KINDS: tuple[Coordination, ...] = get_args(Coordination)
"""Half of the trips are of either kind."""

_DAYS = 300
_POPULAR_DAY = timedelta(days=29)
"""So many want so much on this day that it is soon sold out."""
_POPULAR_UNITS = 15


class PlannedTrip(NamedTuple):
    """One trip: when it is booked, in seconds from the start, and what is done to it afterwards.

    `cancel_after_s` is counted from its acceptance. `wait_s` is sent as `Prefer: wait`.
    """

    key: str
    at_s: float
    body: Json
    cancel_after_s: float | None
    wait_s: int


class PlannedKill(NamedTuple):
    """What befalls one process, `gap_s` after what befell one before; `stop_s` None means kill -9.

    `loses_store`: all that it had on disk is gone, too.
    """

    process: str
    gap_s: float
    stop_s: float | None
    loses_store: bool = False


class PlannedFaults(NamedTuple):
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
    """Kills without end. Each process has its turn before any has another.

    The broker loses its store once, early enough for a short run.
    """
    draw = random.Random(f"{seed}/kills")
    loss = draw.randint(1, LATEST_LOSS)
    for number, process in enumerate(_turns(draw)):
        if number == loss:
            yield PlannedKill(BROKER, draw.uniform(*GAP_S), None, loses_store=True)
        stop_s = draw.uniform(*STOP_S) if draw.random() < 0.3 else None
        yield PlannedKill(process, draw.uniform(*GAP_S), stop_s)


def _turns(draw: random.Random) -> Iterator[str]:
    while True:
        yield from draw.sample(PROCESSES, len(PROCESSES))


def faults(seed: int, partner: str) -> Iterator[PlannedFaults]:
    """A partner's faults without end: a fifth of its calls fail, a tenth are cut after the effect."""
    draw = random.Random(f"{seed}/faults/{partner}")
    kinds: tuple[Json, ...] = (
        {},
        {},
        {"status": 429},
        {"status": 429, "retry_after_s": 1},
        {"latency_ms": 400},
    )
    while True:
        status = draw.choice((500, 502, 503, 504))
        found = {"error_rate": ERROR_RATE, "status": status, "drop_reply_rate": DROP_RATE}
        yield PlannedFaults(found | draw.choice(kinds), draw.uniform(*REROLL_S))


def _order(draw: random.Random, today: date) -> Json:
    is_popular = draw.random() < 0.1
    first = today + (_POPULAR_DAY if is_popular else timedelta(days=draw.randint(30, 30 + _DAYS)))
    stays = STAYS if draw.random() < 0.5 else draw.sample(STAYS, draw.randint(1, len(STAYS)))
    members = (MEMBER, "M-1001", "M-1002", "M-1003")
    member = draw.choices(members, weights=(12, 4, 1, 1))[0]
    cards = ("tok_visa", "tok_declined", "tok_slow")
    body: Json = {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com", "member_id": member},
        "payment": {"card_token": draw.choices(cards, weights=(20, 2, 1))[0], "currency": "JPY"},
        "when_partner_down": draw.choice(("fail", "wait", "wait")),
        "coordination": draw.choice(KINDS),
    }
    units = _POPULAR_UNITS if is_popular else draw.randint(1, 4)
    body |= {stay.name: _stay(draw, stay, first, units) for stay in stays}
    if draw.random() < 0.6:
        # The last is more than any price: points pay all.
        body["points"] = {"redeem": draw.choice((50, 500, 5000, 10**9))}
    if draw.random() < 0.1:
        body["deadline_s"] = draw.randint(1, 8)
    return body


def _stay(draw: random.Random, stay: Stay[Any], first: date, units: int) -> Json:
    """The example, with so many units; one in twenty does not exist."""
    fields = {field.annotation: name for name, field in reversed(stay.body.model_fields.items())}
    body: Json = stay.example(first).model_dump(mode="json") | {fields[int]: units}
    return body | {fields[str]: "NO-SUCH"} if draw.random() < 0.05 else body
