"""The figures of a variant, from what its travellers were told and what its partners hold. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from audit.facts import ACTIVE, SeenReservation
from trials import cpu
from trials.bench.buys.travellers import Booked
from trials.statistics import between, busiest, percentile
from trials.traveller import Received
from trip.partner import PAYMENT, Partner, ReservationStatus

WINDOW_S = 0.1
BETWEEN = "~"
"""Stands between a trip's name and the suffix that makes a key fresh."""

ENDS = ("confirmed", "nothing", "half_booked", "charged_for_less", "held_twice", "charged_twice")
"""How a trip of every partner can stand; several can be true of one trip.

Confirmed: every step is. Half-booked: something is held or confirmed, but not the whole. Charged for less:
half-booked, and paid. Held twice: some step is held or confirmed more than once.
"""

Held = Mapping[Partner, Sequence[SeenReservation]]
"""A trip's reservations that are held or confirmed; there may be several at one partner."""


class Outage(NamedTuple):
    """When the sick partner went down and came back, in seconds since 1970."""

    down_at: float
    up_at: float


def name_of(key: str) -> str:
    return key.partition(BETWEEN)[0]


def active_by_name(
    reservations: Mapping[Partner, Iterable[SeenReservation]],
) -> dict[str, dict[Partner, list[SeenReservation]]]:
    """The reservations that are held or confirmed, by the trip's name and the partner."""
    found: dict[str, dict[Partner, list[SeenReservation]]] = {}
    for partner, all_of_it in reservations.items():
        for one in all_of_it:
            if one.status in ACTIVE:
                found.setdefault(name_of(one.key), {}).setdefault(partner, []).append(one)
    return found


def of_names(by_name: Mapping[str, Held], names: Iterable[str]) -> Held:
    """The reservations of one traveller's trip, which may have several names."""
    own = [by_name[name] for name in set(names) if name in by_name]
    return {partner: [one for held in own for one in held.get(partner, ())] for partner in Partner}


def ends_of(held: Held) -> set[str]:
    confirmed = {
        partner: sum(one.status is ReservationStatus.CONFIRMED for one in held.get(partner, ()))
        for partner in Partner
    }
    is_whole = all(confirmed.values())
    is_half = any(held.values()) and not is_whole
    true = {
        "confirmed": is_whole,
        "nothing": not (is_whole or is_half),
        "half_booked": is_half,
        "charged_for_less": is_half and confirmed[PAYMENT] > 0,
        "held_twice": any(len(some) > 1 for some in held.values()),
        "charged_twice": confirmed[PAYMENT] > 1,
    }
    return {end for end in ENDS if true[end]}


def outcomes(
    booked: Sequence[Booked], reservations: Mapping[Partner, Iterable[SeenReservation]]
) -> dict[str, int]:
    """How many of the trips stand how, by their partners' stores alone."""
    by_name = active_by_name(reservations)
    ends = [ends_of(of_names(by_name, one.names)) for one in booked]
    waiting = [end for one, end in zip(booked, ends, strict=True) if one.trip.waits]
    return {
        "trips": len(booked),
        "declined": sum(one.trip.is_declined for one in booked),
        "waiting": len(waiting),
        "waiting_confirmed": sum("confirmed" in end for end in waiting),
        **{name: sum(name in end for end in ends) for name in ENDS},
        "never_told": sum(one.told_at is None for one in booked),
    }


def calm_figures(booked: Sequence[Booked], spent: Mapping[str, float]) -> dict[str, Any]:
    """Latencies of the trips confirmed, and CPU a trip of the saga's own processes and PostgreSQL."""
    took_ms = [1000 * (one.told_at - one.at) for one in booked if one.told_at and one.status == "confirmed"]
    own = (cpu.TEMPORAL, cpu.WORKER, cpu.API, cpu.POSTGRES)
    return {
        "trips": len(booked),
        "confirmed": len(took_ms),
        "p50_ms": percentile(took_ms, 0.5),
        "p95_ms": percentile(took_ms, 0.95),
        "cpu_ms": 1000 * sum(spent[group] for group in own) / len(booked),
    }


def times(booked: Sequence[Booked], outage: Outage) -> dict[str, float | None]:
    """Seconds until trips booked in the outage were told no, and from its end until the last was told."""
    hit = [one for one in booked if outage.down_at <= one.at < outage.up_at]
    no_s = [one.told_at - one.at for one in hit if one.told_at and one.status == "failed"]
    told = [one.told_at for one in hit if one.told_at]
    return {
        "no_p50_s": percentile(no_s, 0.5) if no_s else None,
        "backlog_s": max(0.0, max(told) - outage.up_at) if told else None,
    }


def sick_figures(calls: Sequence[Received], outage: Outage, after_s: float) -> dict[str, Any]:
    """The sick partner's calls while it was down, and the seconds until it served again."""
    at = [call.at for call in calls]
    held = (call.at for call in calls if call.verb == "PUT" and call.outcome in ("200", "201"))
    served = min((moment for moment in held if moment >= outage.up_at), default=None)
    return {
        "calls_while_down": between(at, *outage),
        "busiest": busiest(at, outage.down_at, outage.up_at + after_s, WINDOW_S),
        "serves_after_s": None if served is None else served - outage.up_at,
        "at_s": [round(moment - outage.down_at, 2) for moment in at],
    }
