"""In which stages an order is held, and what it asks of each partner."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import chain

from partners.catalogue import ROLES, STAYS
from trip.answers import MAX_AMOUNT
from trip.calls import Terms
from trip.order import TripOrder
from trip.partner import PAYMENT, POINTS, Partner

Stage = tuple[Partner, ...]


def whole(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """The stages. Raises ValueError unless they hold every partner once, so that no trip leaves one out."""
    stages = tuple(stages)
    times = Counter(chain.from_iterable(stages))
    for partner in Partner:
        if times[partner] != 1:
            raise ValueError(f"{partner} is held in {times[partner]} stages, not in one")
    return stages


STAGES = whole((tuple(Partner(stay.name) for stay in STAYS), *((Partner(role.name),) for role in ROLES)))
"""Held one after another, each side by side: a stage knows the price of the stages before it.

A trip is undone in the reverse order."""

_STAYS = {Partner(stay.name): stay for stay in STAYS}


def stages(order: TripOrder) -> list[list[Partner]]:
    """The stages of an order, without the partners that it does not ask for."""
    wanted = order.partners()
    return [chosen for stage in STAGES if (chosen := [partner for partner in stage if partner in wanted])]


def asked(order: TripOrder, partner: Partner, due: int) -> dict[str, object] | None:
    """The body of the hold, if `due` minor units are due by then; None if nothing is left to ask for."""
    if partner is POINTS and order.points:
        redeem = min(order.points.redeem, due)
        return {"member_id": order.traveller.member_id, "redeem": redeem} if redeem else None
    if partner is PAYMENT:
        method = order.payment
        paid = {"card_token": method.card_token, "amount_minor": due, "currency": method.currency}
        return paid if due else None
    body: dict[str, object] = order.part(partner).model_dump(mode="json")
    return body


def agreed(order: TripOrder, partner: Partner, due: int, now: datetime) -> Terms:
    """What the answer to the hold has to keep to."""
    least, most = 0, MAX_AMOUNT
    if partner is POINTS and order.points:
        least, most = -min(order.points.redeem, due), 0
    elif partner is PAYMENT:
        least = most = due
    return Terms(currency=order.payment.currency, least_minor=least, most_minor=most, now=now)


def summary(order: TripOrder, partner: Partner) -> str:
    """What the history shows of a call."""
    if stay := _STAYS.get(partner):
        return stay.summary(order.part(partner))
    if partner is POINTS:
        return f"points of {order.traveller.member_id}"
    return f"{order.payment.card_token}, {order.payment.currency}"
