"""A workflow task that the server rejects and runs again, with a message that the first run did not know."""

import asyncio
import signal

import asyncpg
import pytest
from temporalio.client import Client as TemporalClient
from temporalio.contrib.pydantic import pydantic_data_converter

from chaos.client import Client, Json
from chaos.moments import FROZEN_MS
from chaos.orders import whole_order
from chaos.verdict import faults_of, final
from domain.trip import Trip
from tests.partners.client import until

REFUSED_AFTER_MS = 1000
SLOWEST_MS = 4000
SETTLE_LIMIT_S = 60.0

WAITING = """
    select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and query like '%update trips set%'
"""


def no_such_hotel() -> Json:
    """A trip that ends with the answer to its only hold: nothing is to be undone."""
    order = whole_order()
    order["hotel"] |= {"hotel_id": "NO-SUCH-HOTEL"}
    return {name: part for name, part in order.items() if name not in ("tour", "flight", "points")}


@pytest.mark.parametrize("round_", range(3))
async def test_a_trip_ends_as_its_record_says_when_its_last_task_runs_twice(
    client: Client, round_: int
) -> None:
    """The row of the record is locked, so that the task that ends the trip still runs when a cancel comes."""
    faults = {"latency_ms": REFUSED_AFTER_MS, "count": 1, "verbs": ["PUT"]}
    await client.lab("PUT", "hotel", "/lab/faults", faults)
    _, trip = await client.call("POST", "/trips", json=no_such_hotel())
    trip_id = trip["trip_id"]
    temporal = await TemporalClient.connect(client.target.temporal, data_converter=pydantic_data_converter)
    handle = temporal.get_workflow_handle(trip_id, result_type=Trip)

    async def sent() -> bool:
        return bool(await client.lab_calls("hotel", trip_id))

    await until(sent)
    locking, watching = [await asyncpg.connect(client.target.database_url) for _ in range(2)]
    try:
        async with locking.transaction():
            await locking.execute("select 1 from trips where trip_id = $1 for update", trip_id)
            async with asyncio.timeout(SETTLE_LIMIT_S):
                while not await watching.fetchval(WAITING):
                    await asyncio.sleep(0.005)
            await handle.cancel()
    finally:
        await locking.close()
        await watching.close()
    result = await handle.result()
    ended = await final(client, trip_id, SETTLE_LIMIT_S)
    assert ended["status"] == result.status
    assert await faults_of(client, ended, ("failed", "cancelled")) == []


async def test_what_a_lost_task_sent_is_undone_by_the_run_that_does_not_remember_it(client: Client) -> None:
    """The worker dies amid local activities, of which no history tells; the next run meets a cancel first."""
    faults = {"latency_ms": SLOWEST_MS, "count": 1, "verbs": ["PUT"]}
    await client.lab("PUT", "hotel", "/lab/faults", faults)
    trip_id = await accepted(client)
    await until(lambda: has_sent(client, trip_id, to="hotel", holding=["tour", "flight"]))
    await cancel(client, trip_id)
    client.target.kill("worker-1")
    await assert_undone(client, trip_id)


async def test_what_a_later_lost_task_sent_is_undone_too(client: Client) -> None:
    """The flight's hold goes by an ordinary activity, and so the rest is held in another workflow task."""
    await client.lab("PUT", "flight", "/lab/faults", {"error_rate": 1.0, "count": 1, "verbs": ["PUT"]})
    faults = {"latency_ms": FROZEN_MS, "count": 1, "verbs": ["PUT"]}
    await client.lab("PUT", "payment", "/lab/faults", faults)
    trip_id = await accepted(client)
    await until(lambda: has_sent(client, trip_id, to="payment", holding=["flight", "points"]))
    client.target.signal("worker-1", signal.SIGSTOP)  # so that it records nothing of what takes effect
    try:
        await cancel(client, trip_id)
        await until(lambda: has_sent(client, trip_id, to="payment", holding=["payment"]))
    finally:
        client.target.kill("worker-1")
    await assert_undone(client, trip_id)


async def accepted(client: Client) -> str:
    _, trip = await client.call("POST", "/trips", json=whole_order())
    return str(trip["trip_id"])


async def has_sent(client: Client, trip_id: str, to: str, holding: list[str]) -> bool:
    known = [await client.reservation(partner, trip_id) for partner in holding]
    return set(known) == {"held"} and bool(await client.lab_calls(to, trip_id))


async def cancel(client: Client, trip_id: str) -> None:
    temporal = await TemporalClient.connect(client.target.temporal, data_converter=pydantic_data_converter)
    await temporal.get_workflow_handle(trip_id).cancel()


async def assert_undone(client: Client, trip_id: str) -> None:
    ended = await final(client, trip_id, SETTLE_LIMIT_S)
    assert ended["status"] == "cancelled"
    assert await faults_of(client, ended, ("cancelled",)) == []
