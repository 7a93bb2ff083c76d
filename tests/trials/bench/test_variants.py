"""What a variant leaves out is left out on a real system, and nothing else is."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from stack.chosen import free_ports
from stack.parts import Part
from stack.ports import free_port
from trials.bench.buys.figures import active_by_name, ends_of, name_of, of_names
from trials.bench.buys.measure import reservations
from trials.bench.buys.variants import COMMON, VARIANTS, Carrier, Variant, arranged, carrier, with_lots
from trials.orders import bench_order
from trials.traveller import Traveller
from trials.world import Ground, Stage, fresh_ground

BY_NAME = {variant.name: variant for variant in VARIANTS}
NOTHING, HALF, WHOLE = {"nothing"}, {"half_booked"}, {"confirmed"}


@pytest.fixture(scope="module")
async def ground_of() -> AsyncIterator[Callable[[str], Ground]]:
    """A variant's ground. All are on one system: its worker starts again as another, or is not asked."""
    ports = {"durable": free_port(), "none": free_port()}
    command: list[str] = []

    def all_on_one(stage: Stage, parts: list[Part]) -> list[Part]:
        [worker] = [part for part in parts if part.name == "worker-1"]
        first = carrier(BY_NAME["compensation"], stage, worker)
        command.extend(first.command)
        beside = [
            replace(carrier(BY_NAME[name], stage, worker, port), name=name) for name, port in ports.items()
        ]
        others = [part for part in with_lots(1, parts) if part.name != worker.name]
        return [*others, replace(first, command=command), *beside]

    async with fresh_ground(COMMON, arrange=all_on_one) as ground:

        def found(variant: str) -> Ground:
            if variant in ports:
                url = f"http://127.0.0.1:{ports[variant]}"
                return ground._replace(traveller=Traveller(ground.http, url, ground.world.partners, ""))
            if command[-1] != variant:
                command[-1] = variant
                ground.world.kill("worker-1")
            return ground

        yield found


async def booked(ground: Ground, card_token: str = "tok_visa") -> tuple[str, set[str]]:
    """The status of a trip that has ended, and how it stands at its partners."""
    order = bench_order(card_token=card_token)
    order["traveller"]["name"] = f"traveller {uuid4()}"
    trip = await ground.traveller.book(order, wait=60)
    by_name = active_by_name(await reservations(ground))
    return trip["status"], ends_of(of_names(by_name, [name_of(trip["trip_id"])]))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: one.name)
def test_a_variants_trips_are_carried_by_its_process_alone(tmp_path: Path, variant: Variant) -> None:
    stage = Stage(tmp_path, free_ports())
    parts = arranged(variant, 1, stage, stage.parts())
    assert {part.name for part in parts if part.name in ("worker-1", "api", "saga")} == (
        {"worker-1", "api"} if variant.carrier is Carrier.WORKFLOW else {"saga"}
    )
    [carrying] = [part for part in parts if part.name == variant.process]
    assert (carrying.command[-1] == variant.removed) == bool(variant.removed)


@pytest.mark.server
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
    ground_of: Callable[[str], Ground], variant: str, after_declined: set[str], after_lost_reply: set[str]
) -> None:
    ground = ground_of(variant)
    assert await booked(ground) == ("confirmed", WHOLE)
    assert await booked(ground, "tok_declined") == ("failed", after_declined)
    # The next hold takes effect, and its caller never hears of it.
    await ground.traveller.break_partner("hotel", drop_reply_rate=1.0, verbs=["PUT"], count=1)
    told = "confirmed" if "confirmed" in after_lost_reply else "failed"
    assert await booked(ground) == (told, after_lost_reply)
