"""A hold that takes effect after its caller has given it up."""

import asyncio
import uuid
from typing import Any

from tests.patience import PATIENCE_S
from tests.trials.chaos.slow_network import SlowNetwork
from trials.chaos.client import Client
from trials.chaos.verdict import ACTIVE, final
from trials.orders import bench_order
from trials.polling import until

LATE_S = 10.0
"""Past the first attempt's time limit and the second attempt."""


async def ask_hotel(client: Client, method: str, key: str, body: Any = None) -> int:
    url = f"{client.world.partners['hotel']}/reservations/{key}"
    async with client.http.request(method, url, json=body) as answer:
        return answer.status


async def test_a_hold_refused_at_its_second_attempt_is_undone_for_the_first_attempts_sake(
    client: Client, network: SlowNetwork
) -> None:
    """The first attempt is on its way when the second finds the room taken; then the room is free again."""
    order, other = bench_order(), f"other-{uuid.uuid4()}"
    order["hotel"]["hotel_id"] = "OSA-POD"  # has one room
    network.delays_s = [LATE_S]
    status, trip = await client.call("POST", "/trips", json=order)
    assert status == 202

    async def sent() -> bool:
        return not network.delays_s

    await until(sent)
    assert await ask_hotel(client, "PUT", other, order["hotel"]) == 201
    trip = await final(client, trip["trip_id"], PATIENCE_S)
    assert (trip["status"], trip["failure"]["code"]) == ("failed", "sold_out")
    assert await ask_hotel(client, "DELETE", other) == 200
    async with asyncio.timeout(LATE_S):
        await network.arrived_late.wait()
    assert await client.stands_as("hotel", trip["trip_id"]) not in ACTIVE
