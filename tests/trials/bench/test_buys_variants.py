"""What a variant leaves out is left out on a real system, and nothing else is."""

import asyncio
from uuid import uuid4

import pytest

from tests.traveller import bench_order
from trials.bench.buys.stage import Ground, staged
from trials.bench.buys.stores import read_stores
from trials.bench.buys.variants import VARIANTS, Variant
from trials.bench.buys.verdict import BETWEEN, Verdict, active_by_name, judged, of_names
from trip.partner import Partner

pytestmark = pytest.mark.server

BY_NAME = {variant.name: variant for variant in VARIANTS}
WHOLE = Verdict(True, False, False, False, False)
HALF = Verdict(False, True, False, False, False)
NOTHING = Verdict(False, False, False, False, False)


async def booked(ground: Ground, card_token: str = "tok_visa") -> tuple[str, str]:
    """The id and the status of a trip, once it has ended."""
    order = bench_order(payment={"card_token": card_token, "currency": "JPY"})
    order["traveller"]["name"] = f"traveller {uuid4()}"
    trip = await ground.traveller.book(order, wait=30)
    return trip["trip_id"], trip["status"]


async def verdict(ground: Ground, trip_id: str) -> Verdict:
    """How the trip stands at its partners."""
    stores = await read_stores(ground)
    return judged(of_names(active_by_name(stores.reservations), [trip_id.partition(BETWEEN)[0]]))


async def lose_a_reply(ground: Ground, partner: Partner) -> None:
    """The next hold there takes effect, and its caller never hears of it."""
    await ground.traveller.break_partner(partner, drop_reply_rate=1.0, verbs=["PUT"], count=1)


@pytest.mark.parametrize(
    ("variant", "after_declined", "after_lost_reply"),
    [
        (BY_NAME["compensation"], HALF, WHOLE),
        (BY_NAME["keys"], NOTHING, WHOLE._replace(is_held_twice=True)),
        (BY_NAME["durable"], NOTHING, WHOLE),
        (BY_NAME["none"], HALF, HALF),
    ],
    ids=lambda one: one.name if isinstance(one, Variant) else None,
)
async def test_a_variant_does_without(
    variant: Variant, after_declined: Verdict, after_lost_reply: Verdict
) -> None:
    async with staged(variant, seed=1, stop=asyncio.Event()) as ground:
        trip_id, status = await booked(ground)
        assert (status, await verdict(ground, trip_id)) == ("confirmed", WHOLE)
        trip_id, status = await booked(ground, "tok_declined")
        assert (status, await verdict(ground, trip_id)) == ("failed", after_declined)
        await lose_a_reply(ground, Partner("hotel"))
        trip_id, status = await booked(ground)
        assert status == ("confirmed" if after_lost_reply.is_whole else "failed")
        assert await verdict(ground, trip_id) == after_lost_reply
