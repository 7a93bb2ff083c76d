"""What the partners' own stores say of a trip when all is over. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from audit.facts import ACTIVE, SeenReservation
from trip.partner import Partner, ReservationStatus

BETWEEN = "~"
"""Stands between a trip's name and what makes a key fresh."""

Held = Mapping[Partner, Sequence[SeenReservation]]
"""A trip's reservations that are held or confirmed, by partner; there may be several at one."""


class Verdict(NamedTuple):
    """How a trip of all five parts stands; several can be true of one trip.

    `is_whole`: every part is confirmed. `is_half`: something is held or confirmed, but not the whole.
    `is_charged_for_less`: half, and paid. `is_held_twice`: some part is held or confirmed more than once.
    `is_charged_twice`: more than one payment is captured.
    """

    is_whole: bool
    is_half: bool
    is_charged_for_less: bool
    is_held_twice: bool
    is_charged_twice: bool


def name_of(key: str) -> str:
    """The trip's name in a key, without what makes the key fresh."""
    return key.partition(BETWEEN)[0]


def active_by_name(
    reservations: Mapping[Partner, Iterable[SeenReservation]],
) -> dict[str, dict[Partner, list[SeenReservation]]]:
    """What is held or confirmed, by the trip's name and the partner."""
    found: dict[str, dict[Partner, list[SeenReservation]]] = {}
    for partner, all_of_it in reservations.items():
        for one in all_of_it:
            if one.status in ACTIVE:
                found.setdefault(name_of(one.key), {}).setdefault(partner, []).append(one)
    return found


def of_names(by_name: Mapping[str, Held], names: Iterable[str]) -> Held:
    """All that is held or confirmed for one traveller's trip, which may have several names."""
    own = [by_name[name] for name in set(names) if name in by_name]
    return {partner: [one for held in own for one in held.get(partner, ())] for partner in Partner}


def judged(held: Held) -> Verdict:
    """How the trip stands."""
    confirmed = {
        partner: sum(one.status is ReservationStatus.CONFIRMED for one in held.get(partner, ()))
        for partner in Partner
    }
    is_whole = all(confirmed.values())
    is_half = any(held.values()) and not is_whole
    charges = confirmed[Partner("payment")]
    return Verdict(
        is_whole=is_whole,
        is_half=is_half,
        is_charged_for_less=is_half and charges > 0,
        is_held_twice=any(len(some) > 1 for some in held.values()),
        is_charged_twice=charges > 1,
    )
