"""What the partners' own stores and records hold when all is over."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from audit.facts import SeenReservation
from audit.partners import PartnerReader
from trials.bench.buys.stage import Ground
from trip.partner import Partner


class Call(NamedTuple):
    """A call that a partner received, `at` in seconds since 1970; `outcome` is the status it answered."""

    at: float
    verb: str
    outcome: str | None


class Stores(NamedTuple):
    """By partner: its reservations, and the calls it received, oldest first."""

    reservations: Mapping[Partner, list[SeenReservation]]
    calls: Mapping[Partner, list[Call]]


async def read_stores(ground: Ground) -> Stores:
    """Read all partners. Raises AuditError."""
    found = await asyncio.gather(*(_reservations(ground, partner) for partner in Partner))
    calls = await asyncio.gather(*(_calls(ground, partner) for partner in Partner))
    return Stores(dict(zip(Partner, found, strict=True)), dict(zip(Partner, calls, strict=True)))


async def _reservations(ground: Ground, partner: Partner) -> list[SeenReservation]:
    facts = await PartnerReader(partner, ground.partner_url(partner), None, ground.http).read()
    return list(facts.after.values())


async def _calls(ground: Ground, partner: Partner) -> list[Call]:
    page = await ground.traveller.read(partner, "/lab/calls?limit=100000")
    return [
        Call(datetime.fromisoformat(one["at"]).timestamp(), one["verb"], one["outcome"])
        for one in page["items"]
    ]
