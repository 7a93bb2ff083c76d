"""The ten calls of a trip in plain asyncio, in the order and side by side as this project makes them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from trials.orders import PARTNERS, STAYS, Json, hold

Call = Callable[[str, str, Json | None], Awaitable[int]]
"""Makes a call of a verb to a partner with a body, and gives the reservation's price in minor units."""
Together = Callable[[Iterable[Awaitable[int]]], Awaitable[list[int]]]


async def _together(calls: Iterable[Awaitable[int]]) -> list[int]:
    """All side by side. Each comes to its end, so that none is under way when an undo begins."""
    prices = []
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        prices.append(outcome)
    return prices


async def book(call: Call, order: Json, together: Together = _together) -> None:
    """Hold the stays, then points, then payment; capture; confirm the rest. Raises what a call raises."""
    due = sum(await together(call("hold", partner, hold(order, partner, 0)) for partner in STAYS))
    for partner in PARTNERS[len(STAYS) :]:
        due += await call("hold", partner, hold(order, partner, due))
    await call("confirm", "payment", None)
    await together(call("confirm", partner, None) for partner in PARTNERS if partner != "payment")
