"""The figures of a variant, from what its travellers were told and what its partners hold. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audit.facts import SeenReservation
from trials.bench.buys.booking import Booked
from trials.bench.buys.plan import is_declined, waits
from trials.bench.buys.stores import Call
from trials.bench.buys.verdict import active_by_name, judged, of_names
from trials.bench.buys.weather import Outage
from trials.bench.contest import cpu
from trials.bench.contest.figures import percentile
from trials.bench.guard.figures import between, busiest
from trip.partner import Partner

WINDOW_S = 0.1
_OWN = (cpu.TEMPORAL, cpu.WORKER, cpu.API, cpu.POSTGRES)


def calm_figures(booked: Sequence[Booked], spent: Mapping[str, float]) -> dict[str, Any]:
    """Latencies of the trips confirmed, and CPU a trip of the saga's own processes, in milliseconds."""
    took_ms = [1000 * (one.told_at - one.at) for one in booked if one.told_at and one.status == "confirmed"]
    return {
        "trips": len(booked),
        "confirmed": len(took_ms),
        "p50_ms": percentile(took_ms, 0.5),
        "p95_ms": percentile(took_ms, 0.95),
        "cpu_ms": 1000 * sum(spent[group] for group in _OWN) / len(booked),
    }


def outcomes(
    booked: Sequence[Booked], reservations: Mapping[Partner, Iterable[SeenReservation]]
) -> dict[str, int]:
    """How many of the trips stand how, by their partners' stores alone; one can count in several places."""
    by_name = active_by_name(reservations)
    verdicts = [judged(of_names(by_name, one.names)) for one in booked]
    return {
        "trips": len(booked),
        "declined": sum(is_declined(one.trip) for one in booked),
        "confirmed": sum(one.is_whole for one in verdicts),
        "waiting": sum(waits(one.trip) for one in booked),
        "waiting_confirmed": sum(
            verdict.is_whole and waits(one.trip) for one, verdict in zip(booked, verdicts, strict=True)
        ),
        "nothing": sum(not (one.is_whole or one.is_half) for one in verdicts),
        "half_booked": sum(one.is_half for one in verdicts),
        "charged_for_less": sum(one.is_charged_for_less for one in verdicts),
        "held_twice": sum(one.is_held_twice for one in verdicts),
        "charged_twice": sum(one.is_charged_twice for one in verdicts),
        "never_told": sum(one.told_at is None for one in booked),
    }


def times(booked: Sequence[Booked], outage: Outage) -> dict[str, float | None]:
    """Seconds: until trips booked in the outage were told no, and from its end until the last was told."""
    hit = [one for one in booked if outage.down_at <= one.at < outage.up_at]
    no_s = [one.told_at - one.at for one in hit if one.told_at and one.status == "failed"]
    told = [one.told_at for one in hit if one.told_at]
    return {
        "no_p50_s": percentile(no_s, 0.5) if no_s else None,
        "backlog_s": max(0.0, max(told) - outage.up_at) if told else None,
    }


def sick_figures(calls: Sequence[Call], outage: Outage, after_s: float) -> dict[str, Any]:
    """What the sick partner saw: calls while it was down, and until it served again, in seconds."""
    at = [call.at for call in calls]
    held = (call.at for call in calls if call.verb == "PUT" and call.outcome in ("200", "201"))
    served = min((moment for moment in held if moment >= outage.up_at), default=None)
    return {
        "calls_while_down": between(at, *outage),
        "busiest": busiest(at, outage.down_at, outage.up_at + after_s, WINDOW_S),
        "serves_after_s": None if served is None else served - outage.up_at,
        "outage_s": outage.up_at - outage.down_at,
        "at_s": [round(moment - outage.down_at, 2) for moment in at],
    }
