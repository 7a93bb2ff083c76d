"""A workflow task that the server rejects and runs again, with a message that the first run did not know."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHandle

from replay.replaying import replayer
from tests.patience import PATIENCE_S
from trials.chaos.client import Client
from trials.chaos.moments import FROZEN_MS
from trials.chaos.verdict import faults_of, final
from trials.orders import Json, bench_order, small_order
from trials.polling import until
from trip.trip import Trip

REFUSED_AFTER_MS = 1000
SLOWEST_MS = 4000

WAITING = """
    select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and query like '%update trips set%'
"""


@pytest.mark.parametrize("round_", range(3))
async def test_a_trip_ends_as_its_record_says_when_its_last_task_runs_twice(
    client: Client, round_: int
) -> None:
    """The row of the record is locked, so that the task that ends the trip still runs when a cancel comes."""
    await client.break_partner("hotel", latency_ms=REFUSED_AFTER_MS, count=1, verbs=["PUT"])
    order = small_order("hotel")
    order["hotel"]["hotel_id"] = "NO-SUCH-HOTEL"  # so nothing is to be undone
    trip_id = await accepted(client, order)
    handle = await handle_of(client, trip_id)

    async def sent() -> bool:
        return bool(await client.lab_calls("hotel", trip_id))

    await until(sent)
    async with locked(client, f"select 1 from trips where trip_id = '{trip_id}' for update") as is_waited_for:
        await until(is_waited_for)
        await handle.cancel()
    result = await handle.result()
    ended = await final(client, trip_id, PATIENCE_S)
    assert ended["status"] == result.status
    assert await faults_of(client, ended, ("failed", "cancelled")) == []


async def test_what_a_lost_task_sent_is_undone_by_the_run_that_does_not_remember_it(client: Client) -> None:
    """The worker dies amid local activities, of which no history tells; the next run meets a cancel first."""
    await client.break_partner("hotel", latency_ms=SLOWEST_MS, count=1, verbs=["PUT"])
    trip_id = await accepted(client)
    await until(lambda: has_sent(client, trip_id, to="hotel", holding=["tour", "flight"]))
    await cancel(client, trip_id)
    client.world.kill("worker-1")
    await assert_undone(client, trip_id)


async def test_what_a_later_lost_task_sent_is_undone_too(client: Client) -> None:
    """The flight's hold goes by an ordinary activity, and so the rest is held in another workflow task."""
    await client.break_partner("flight", error_rate=1.0, count=1, verbs=["PUT"])
    await client.break_partner("payment", latency_ms=FROZEN_MS, count=1, verbs=["PUT"])
    trip_id = await accepted(client)
    await until(lambda: has_sent(client, trip_id, to="payment", holding=["flight", "points"]))
    client.world.signal("worker-1", signal.SIGSTOP)  # so that it records nothing of what takes effect
    try:
        await cancel(client, trip_id)
        await until(lambda: has_sent(client, trip_id, to="payment", holding=["payment"]))
    finally:
        client.world.kill("worker-1")
    await assert_undone(client, trip_id)


async def test_a_captured_trip_stands_when_its_last_task_runs_twice(client: Client) -> None:
    """Temporal's own cancel comes while the confirmations are out, and so the server rejects their task."""
    await client.break_partner("hotel", latency_ms=REFUSED_AFTER_MS, count=2)
    trip_id = await accepted(client)
    await until(lambda: has_asked_to_confirm(client, trip_id, "hotel"))
    await cancel(client, trip_id)
    await assert_whole(client, trip_id)
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED in await events_of(client, trip_id)


async def test_what_a_lost_task_captured_is_seen_through(client: Client) -> None:
    """The worker dies amid the capture; the next run meets cancels first, and answers that it is too late."""
    trip_id = await captures(client)
    await cancel(client, trip_id)
    asking = asyncio.create_task(client.insist("POST", f"/trips/{trip_id}/cancel", PATIENCE_S))
    client.world.kill("worker-1")
    status, answer = await asking
    assert (status, answer["code"]) == (409, "already_final")
    await assert_whole(client, trip_id)


async def test_what_a_lost_task_captured_is_seen_through_whatever_holds_would_meet(client: Client) -> None:
    """The next run is not to try what the lost one had: the tour takes no more holds."""
    trip_id = await captures(client)
    client.world.kill("worker-1")
    await client.break_partner("tour", error_rate=1.0, status=400, verbs=["PUT"])
    try:
        await assert_whole(client, trip_id)
        assert [call["verb"] for call in await client.lab_calls("tour", trip_id)] == ["PUT", "confirm"]
    finally:
        await client.mend_partner("tour")


async def test_a_run_that_cannot_know_of_a_capture_writes_nothing_over_it(client: Client) -> None:
    """The record is locked while it runs: it holds anew, is refused, and must ask before it undoes."""
    trip_id = await captures(client)
    await client.break_partner("tour", error_rate=1.0, status=400, verbs=["PUT"])
    try:
        async with locked(client, "lock table trips") as is_waited_for:
            client.world.kill("worker-1")
            await until(lambda: was_refused(client, trip_id, "tour"), PATIENCE_S)
            await until(is_waited_for)
        await assert_whole(client, trip_id)
    finally:
        await client.mend_partner("tour")


@contextlib.asynccontextmanager
async def locked(client: Client, lock: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Nobody writes to the record what is locked; gives what tells whether somebody waits to."""
    locking, watching = [await asyncpg.connect(client.world.database_url) for _ in range(2)]

    async def is_waited_for() -> bool:
        return bool(await watching.fetchval(WAITING))

    try:
        async with locking.transaction():
            await locking.execute(lock)
            yield is_waited_for
    finally:
        await locking.close()
        await watching.close()


async def accepted(client: Client, order: Json | None = None) -> str:
    _, trip = await client.call("POST", "/trips", json=order or bench_order())
    return str(trip["trip_id"])


async def has_sent(client: Client, trip_id: str, to: str, holding: list[str]) -> bool:
    known = [await client.stands_as(partner, trip_id) for partner in holding]
    return set(known) == {"held"} and bool(await client.lab_calls(to, trip_id))


async def captures(client: Client) -> str:
    """A trip whose capture has been sent, amid local activities of which no history tells."""
    await client.break_partner("payment", latency_ms=FROZEN_MS, count=1, verbs=["confirm"])
    trip_id = await accepted(client)
    await until(lambda: has_asked_to_confirm(client, trip_id, "payment"))
    return trip_id


async def was_refused(client: Client, trip_id: str, partner: str) -> bool:
    return "400" in [call["outcome"] for call in await client.lab_calls(partner, trip_id)]


async def has_asked_to_confirm(client: Client, trip_id: str, partner: str) -> bool:
    return "confirm" in [call["verb"] for call in await client.lab_calls(partner, trip_id)]


async def handle_of(client: Client, trip_id: str) -> WorkflowHandle[Any, Trip]:
    temporal = await TemporalClient.connect(client.world.temporal, data_converter=client.world.converter())
    return temporal.get_workflow_handle(trip_id, result_type=Trip)


async def cancel(client: Client, trip_id: str) -> None:
    await (await handle_of(client, trip_id)).cancel()


async def events_of(client: Client, trip_id: str) -> list[int]:
    history = await (await handle_of(client, trip_id)).fetch_history()
    return [event.event_type for event in history.events]


async def assert_whole(client: Client, trip_id: str) -> None:
    ended = await final(client, trip_id, PATIENCE_S)
    handle = await handle_of(client, trip_id)
    assert (await handle.result()).status == "confirmed"
    assert await faults_of(client, ended, ("confirmed",)) == []
    assert {step["status"] for step in ended["steps"]} == {"confirmed"}
    assert None not in [step["reference"] for step in ended["steps"]]
    await replayer(client.world.codec()).replay_workflow(await handle.fetch_history())


async def assert_undone(client: Client, trip_id: str) -> None:
    ended = await final(client, trip_id, PATIENCE_S)
    assert ended["status"] == "cancelled"
    assert await faults_of(client, ended, ("cancelled",)) == []
    await replayer(client.world.codec()).replay_workflow(
        await (await handle_of(client, trip_id)).fetch_history()
    )
