"""In which stages an order is held, and what it asks of each partner."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Any

from partners.catalogue import ROLES, STAYS
from trip.answers import MAX_AMOUNT
from trip.calls import Terms
from trip.order import TripOrder
from trip.partner import PAYMENT, POINTS, Partner

Stage = tuple[Partner, ...]

Body = dict[str, Any]


def whole(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """The stages. Raises ValueError unless they hold every partner once, so that no trip leaves one out."""
    stages = tuple(stages)
    times = Counter(chain.from_iterable(stages))
    for partner in Partner:
        if times[partner] != 1:
            raise ValueError(f"{partner} is held in {times[partner]} stages, not in one")
    return stages


STAGES = whole((tuple(Partner(stay.name) for stay in STAYS), *((Partner(role.name),) for role in ROLES)))
"""Held one after another, each side by side: a stage knows the price of the stages before it."""

_STAYS = {Partner(stay.name): stay for stay in STAYS}


def stages(order: TripOrder) -> list[list[Partner]]:
    """The stages of an order, without the partners that it does not ask for."""
    wanted = order.partners()
    return [chosen for stage in STAGES if (chosen := [partner for partner in stage if partner in wanted])]


def asked(order: TripOrder, partner: Partner, due: int) -> Body | None:
    """The body of the hold, if `due` minor units are due by then; None if nothing is left to ask for."""
    return priced(partner, part(order, partner), due)


def part(order: TripOrder, partner: Partner) -> Body:
    """What the order says of the body of the hold: all but what depends on the price."""
    if partner is POINTS and order.points:
        return {"member_id": order.traveller.member_id, "redeem": order.points.redeem}
    if partner is PAYMENT:
        return {"card_token": order.payment.card_token, "currency": order.payment.currency}
    body: Body = order.part(partner).model_dump(mode="json")
    return body


def priced(partner: Partner, part: Body, due: int) -> Body | None:
    """The body of the hold, made of its part of the order; None if nothing is left to ask for."""
    if partner is POINTS:
        redeem = min(part["redeem"], due)
        return part | {"redeem": redeem} if redeem else None
    if partner is PAYMENT:
        return part | {"amount_minor": due} if due else None
    return part


def agreed(order: TripOrder, partner: Partner, due: int, now: datetime) -> Terms:
    """What the answer to the hold has to keep to."""
    return terms(partner, asked(order, partner, due) or {}, order.payment.currency, now)


def terms(partner: Partner, body: Body, currency: str, now: datetime) -> Terms:
    """What the answer to a hold of this body has to keep to."""
    least, most = 0, MAX_AMOUNT
    if partner is POINTS:
        least, most = -body.get("redeem", 0), 0
    elif partner is PAYMENT:
        least = most = body.get("amount_minor", 0)
    return Terms(currency=currency, least_minor=least, most_minor=most, now=now)


def summary(order: TripOrder, partner: Partner) -> str:
    """What the history shows of a call: nothing of the traveller."""
    if stay := _STAYS.get(partner):
        return stay.summary(order.part(partner))
    if partner is POINTS and order.points:
        return f"points: {order.points.redeem}"
    return order.payment.currency
