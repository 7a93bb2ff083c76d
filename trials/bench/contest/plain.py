"""The ten calls from plain asyncio, nothing kept: the partners' own ceiling. A failed trip is not undone."""

import asyncio
from collections.abc import Mapping

import aiohttp

from trials.bench.contest.calls import call_partner
from trials.orders import PARTNERS, STAYS, Json
from trials.orders import hold as body


async def book(http: aiohttp.ClientSession, urls: Mapping[str, str], key: str, order: Json) -> None:
    """Hold three side by side, points, payment; capture; confirm the rest side by side.

    Raises Refused and Unanswered.
    """

    async def hold(partner: str, due: int = 0) -> int:
        return await call_partner(http, urls[partner], "hold", key, body(order, partner, due))

    due = sum(await asyncio.gather(*(hold(partner) for partner in STAYS)))
    due += await hold("points", due)
    await hold("payment", due)
    await call_partner(http, urls["payment"], "confirm", key)
    rest = [partner for partner in PARTNERS if partner != "payment"]
    await asyncio.gather(*(call_partner(http, urls[partner], "confirm", key) for partner in rest))
