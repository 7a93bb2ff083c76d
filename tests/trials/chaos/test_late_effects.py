"""A hold that takes effect after its caller has given it up."""

import asyncio
import uuid
from typing import Any

from tests.partners.client import until
from tests.trials.chaos.slow_network import SlowNetwork
from trials.chaos.client import Client, Json
from trials.chaos.orders import whole_order
from trials.chaos.verdict import ACTIVE, final

LATE_S = 10.0
"""Past the first attempt's time limit and the second attempt."""

SETTLE_LIMIT_S = 60.0


def last_room() -> Json:
    """A trip to the one room of its house."""
    order = whole_order()
    order["hotel"] |= {"hotel_id": "OSA-POD"}
    return order


async def ask_hotel(client: Client, method: str, key: str, body: Any = None) -> int:
    url = f"{client.target.partners['hotel']}/reservations/{key}"
    async with client.http.request(method, url, json=body) as answer:
        return answer.status


async def test_a_hold_refused_at_its_second_attempt_is_undone_for_the_first_attempts_sake(
    client: Client, network: SlowNetwork
) -> None:
    """The first attempt is on its way when the second finds the room taken; then the room is free again."""
    order, other = last_room(), f"other-{uuid.uuid4()}"
    network.delays_s = [LATE_S]
    status, trip = await client.call("POST", "/trips", json=order)
    assert status == 202

    async def sent() -> bool:
        return not network.delays_s

    await until(sent)
    assert await ask_hotel(client, "PUT", other, order["hotel"]) == 201
    trip = await final(client, trip["trip_id"], SETTLE_LIMIT_S)
    assert (trip["status"], trip["failure"]["code"]) == ("failed", "sold_out")
    assert await ask_hotel(client, "DELETE", other) == 200
    async with asyncio.timeout(LATE_S):
        await network.arrived_late.wait()
    assert await client.reservation("hotel", trip["trip_id"]) not in ACTIVE
