"""Ways out of what Temporal runs by itself, and the way of a trip whose record is away: each gives an id."""

import asyncio
import contextlib
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.service import RPCError

from replay.replaying import has_begun
from tests.patience import PATIENCE_S
from trials.orders import hold, order
from trials.polling import until
from trials.traveller import Traveller
from trials.world import World

OtherWay = Callable[[World, Traveller, Client], Awaitable[str]]


async def probed(world: World, traveller: Traveller, client: Client) -> str:
    """Every partner is asked how it is."""
    return await run_of(client, "probe-partners")


async def not_probed(world: World, traveller: Traveller, client: Client) -> str:
    """What was found cannot be told to the breakers."""
    async with stopped(world, "postgres"):
        return await run_of(client, "probe-partners")


async def audited(world: World, traveller: Traveller, client: Client) -> str:
    """All stores agree."""
    return await run_of(client, "audit-stores")


async def found_at_fault(world: World, traveller: Traveller, client: Client) -> str:
    """A partner has confirmed what no trip asked for."""
    key = str(uuid.uuid4())
    place = f"{world.partners['hotel']}/reservations/{key}"
    async with traveller.http.put(place, json=hold(order(), "hotel", 0)) as held:
        assert held.status == 201, await held.text()
    async with traveller.http.post(f"{place}/confirm") as confirmed:
        assert confirmed.status == 200, await confirmed.text()
    workflow_id = await run_of(client, "audit-stores", fails=True)
    await traveller.release("hotel", key)
    return workflow_id


async def not_audited(world: World, traveller: Traveller, client: Client) -> str:
    """A partner cannot be read at any attempt."""
    await traveller.break_partner("tour", down=True)
    workflow_id = await run_of(client, "audit-stores", fails=True)
    await traveller.mend_partner("tour")
    return workflow_id


async def confirmed_without_the_record(world: World, traveller: Traveller, client: Client) -> str:
    """The record is away at the first question, so every call is an ordinary activity."""
    world.signal("worker-1", signal.SIGSTOP)
    trip_id = str((await traveller.book(order()))["trip_id"])
    handle = client.get_workflow_handle(trip_id)

    async def is_started() -> bool:
        with contextlib.suppress(RPCError):  # a trip is accepted before its workflow is started
            return bool(await handle.describe())
        return False

    async def has_asked() -> bool:
        return has_begun(await handle.fetch_history())

    await until(is_started, PATIENCE_S)
    async with stopped(world, "postgres"):
        world.signal("worker-1", signal.SIGCONT)
        await until(has_asked, PATIENCE_S)
    assert (await traveller.until(trip_id))["status"] == "confirmed"
    return trip_id


OTHER_WAYS: dict[str, OtherWay] = {
    way.__name__: way
    for way in (probed, not_probed, audited, found_at_fault, not_audited, confirmed_without_the_record)
}


@contextlib.asynccontextmanager
async def stopped(world: World, name: str) -> AsyncIterator[None]:
    """While this is entered, a part of the system stands still."""
    world.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        world.signal(name, signal.SIGCONT)


async def run_of(client: Client, schedule: str, *, fails: bool = False) -> str:
    """Have a schedule run now; the workflow's id, once it has ended as it is to."""
    run = client.get_workflow_handle(await triggered(client, schedule))
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(WorkflowFailureError):
            await run.result()
    ended = (await run.describe()).status
    assert ended is (WorkflowExecutionStatus.FAILED if fails else WorkflowExecutionStatus.COMPLETED)
    return run.id


async def triggered(client: Client, schedule: str) -> str:
    """Have a schedule run now; the id of the workflow that it has started."""
    handle = client.get_schedule_handle(schedule)
    before = {done.scheduled_at for done in (await handle.describe()).info.recent_actions}
    await handle.trigger()

    async def started() -> str | None:
        for done in (await handle.describe()).info.recent_actions:
            if done.scheduled_at not in before:
                assert isinstance(done.action, ScheduleActionExecutionStartWorkflow)
                return done.action.workflow_id
        return None

    workflow_id = await until(started, PATIENCE_S)
    assert workflow_id is not None
    return workflow_id
