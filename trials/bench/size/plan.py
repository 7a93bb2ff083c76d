"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """`trips` that have ended are in the record, with so many `events` of each; `audited` are booked.

    So many `readings` and `scrapes` are timed, and `audits` with the trips behind and without. `listeners`
    listen in every other of `rounds` of so many seconds.
    """

    trips: int = 1_000_000
    events: int = 3
    readings: int = 400
    scrapes: int = 60
    audited: int = 1000
    audits: int = 11
    listeners: int = 70
    rounds: int = 10
    seconds: float = 4.0


QUICK = Plan(trips=10_000, readings=20, scrapes=3, audited=30, audits=2, listeners=20, rounds=2, seconds=1.0)
