"""What a variant leaves out is left out on a real system, and nothing else is."""

from uuid import uuid4

import pytest

from trials.bench.buys.figures import active_by_name, ends_of, name_of, of_names
from trials.bench.buys.measure import reservations
from trials.bench.buys.variants import VARIANTS, staged
from trials.orders import bench_order
from trials.world import Ground

pytestmark = pytest.mark.server

BY_NAME = {variant.name: variant for variant in VARIANTS}
NOTHING, HALF, WHOLE = {"nothing"}, {"half_booked"}, {"confirmed"}


async def booked(ground: Ground, card_token: str = "tok_visa") -> tuple[str, set[str]]:
    """The status of a trip that has ended, and how it stands at its partners."""
    order = bench_order(card_token=card_token)
    order["traveller"]["name"] = f"traveller {uuid4()}"
    trip = await ground.traveller.book(order, wait=30)
    by_name = active_by_name(await reservations(ground))
    return trip["status"], ends_of(of_names(by_name, [name_of(trip["trip_id"])]))


@pytest.mark.parametrize(
    ("variant", "after_declined", "after_lost_reply"),
    [
        ("compensation", HALF, WHOLE),
        ("keys", NOTHING, WHOLE | {"held_twice"}),
        ("durable", NOTHING, WHOLE),
        ("none", HALF, HALF),
    ],
)
async def test_a_variant_does_without(
    variant: str, after_declined: set[str], after_lost_reply: set[str]
) -> None:
    async with staged(BY_NAME[variant], seed=1) as ground:
        assert await booked(ground) == ("confirmed", WHOLE)
        assert await booked(ground, "tok_declined") == ("failed", after_declined)
        # The next hold takes effect, and its caller never hears of it.
        await ground.traveller.break_partner("hotel", drop_reply_rate=1.0, verbs=["PUT"], count=1)
        told = "confirmed" if "confirmed" in after_lost_reply else "failed"
        assert await booked(ground) == (told, after_lost_reply)
