"""Discrepancies to plant: each is there, for real, while its context is open, and gone afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from tests.audit.ground import LOOK_EVERY_S, Found, Ground
from tests.patience import PATIENCE_S
from trials.orders import bench_order, some_day

Plant = Callable[[Ground], AbstractAsyncContextManager[Found]]


@asynccontextmanager
async def spoilt_record(ground: Ground, trip_id: str, assignment: str) -> AsyncIterator[None]:
    """The trip's row with another value."""
    columns = "status, trip, created_at, updated_at"
    row = await ground.pool.fetchrow(f"select {columns} from trips where trip_id = $1", trip_id)
    assert row is not None
    await ground.sql(f"update trips set {assignment} where trip_id = $1", trip_id)
    try:
        yield
    finally:
        await ground.sql(f"update trips set ({columns}) = ($2, $3, $4, $5) where trip_id = $1", trip_id, *row)


async def write_off(ground: Ground, trip: dict[str, Any]) -> None:
    """Refund a confirmed trip and say so in its record, as the audit's remedy asks."""
    for step in trip["steps"]:
        await ground.call("DELETE", step["name"], f"/reservations/{trip['trip_id']}")
        step["status"] = "released"
    trip["status"] = "cancelled"
    await ground.sql(
        "update trips set status = 'cancelled', trip = $2 where trip_id = $1", trip["trip_id"], trip
    )


@asynccontextmanager
async def released_behind_the_trip(ground: Ground) -> AsyncIterator[Found]:
    trip = await ground.confirmed()
    await ground.call("DELETE", "hotel", f"/reservations/{trip['trip_id']}")
    try:
        yield {("part_missing", trip["trip_id"])}
    finally:
        await write_off(ground, trip)


def on_record(make: str, assignment: str, code: str) -> Plant:
    """A plant in the row of a trip that `make` makes."""

    @asynccontextmanager
    async def plant(ground: Ground) -> AsyncIterator[Found]:
        trip = await getattr(ground, make)()
        async with spoilt_record(ground, trip["trip_id"], assignment):
            yield {(code, trip["trip_id"])}

    return plant


def set_in_trip(path: str, value: object) -> str:
    """An assignment that sets one place of the trip's document."""
    return f"trip = jsonb_set(trip::jsonb, '{{{path}}}', '{json.dumps(value)}')"


CHARGE = """
with charged as (
    update payment.reservations
    set status = 'confirmed', reference = 'PLANTED-' || key, card_token = 'tok_visa', amount_minor = 5,
        currency = 'JPY', expires_at = now()
    where key = $1 returning key
)
insert into payment.transfers (key, kind, from_account, to_account, currency, amount_minor)
select key, kind, from_account, to_account, 'JPY', 5
from charged, (values ('authorise', 'cards', 'authorised'), ('capture', 'authorised', 'captured'))
    as moves (kind, from_account, to_account)
"""


@asynccontextmanager
async def charge_left(ground: Ground) -> AsyncIterator[Found]:
    trip = await ground.undone()
    # The partner itself takes no charge for a trip that is undone: its key is closed.
    await ground.partner_sql("payment", CHARGE, trip["trip_id"])
    try:
        yield {("left_behind", trip["trip_id"])}
    finally:
        await ground.call("DELETE", "payment", f"/reservations/{trip['trip_id']}")


@asynccontextmanager
async def reservation_of_nobody(ground: Ground) -> AsyncIterator[Found]:
    key, day = f"lab-{some_day()}", some_day()
    seats = {"flight_no": "BENCH-FLIGHT", "date": str(day), "seats": 2}
    await ground.call("PUT", "flight", f"/reservations/{key}", seats)
    try:
        yield {("without_trip", key), ("stock_differs", f"BENCH-FLIGHT/{day}")}
    finally:
        await ground.call("DELETE", "flight", f"/reservations/{key}")


@asynccontextmanager
async def stuck_trip(ground: Ground) -> AsyncIterator[str]:
    """A trip whose undo a dead partner holds up, and which must end undone when the partner is back."""
    await ground.traveller.break_partner("flight", error_rate=1, status=503)
    try:
        trip_id = (await ground.traveller.book(bench_order()))["trip_id"]
        await ground.traveller.until(trip_id, "needs_attention")
        yield trip_id
    finally:
        await ground.traveller.mend_partner("flight")
    assert (await ground.traveller.until(trip_id))["status"] == "failed"


@asynccontextmanager
async def terminated(ground: Ground) -> AsyncIterator[Found]:
    """Terminated from outside; the audit's remedy is what repairs it."""
    async with stuck_trip(ground) as trip_id:
        await ground.temporal.get_workflow_handle(trip_id).terminate("planted")
        try:
            yield {("workflow_ended", trip_id)}
        finally:
            await ground.restart(trip_id)


@asynccontextmanager
async def lost_by_temporal(ground: Ground) -> AsyncIterator[Found]:
    """Deleted from Temporal; the audit's remedy is what repairs it."""
    async with stuck_trip(ground) as trip_id:
        request = DeleteWorkflowExecutionRequest(
            namespace=ground.temporal.namespace, workflow_execution=WorkflowExecution(workflow_id=trip_id)
        )
        await ground.temporal.workflow_service.delete_workflow_execution(request)
        await _until_gone(ground, trip_id)
        try:
            yield {("workflow_ended", trip_id)}
        finally:
            await ground.restart(trip_id)


async def _until_gone(ground: Ground, trip_id: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await ground.temporal.get_workflow_handle(trip_id).describe()
            except RPCError:
                return
            await asyncio.sleep(LOOK_EVERY_S)


def on_unfinished(assignment: str, code: str) -> Plant:
    """A plant in the row of a trip that nobody carries on meanwhile."""

    @asynccontextmanager
    async def plant(ground: Ground) -> AsyncIterator[Found]:
        with ground.worker_stopped():
            trip_id = (await ground.traveller.book(bench_order()))["trip_id"]
            await ground.until_started(trip_id)
            async with spoilt_record(ground, trip_id, assignment):
                yield {(code, trip_id)}
        assert (await ground.traveller.until(trip_id))["status"] in ("confirmed", "failed")

    return plant


@asynccontextmanager
async def row_lost(ground: Ground) -> AsyncIterator[Found]:
    trip_id = (await ground.undone())["trip_id"]
    await ground.sql("create table kept as select * from trips where trip_id = $1", trip_id)
    await ground.sql("delete from trips where trip_id = $1", trip_id)
    try:
        yield {("without_record", trip_id)}
    finally:
        await ground.sql("insert into trips select * from kept")
        await ground.sql("drop table kept")


@asynccontextmanager
async def hotel_counter(ground: Ground) -> AsyncIterator[Found]:
    night = await _row(ground, "hotel")
    await ground.night(night, held=1, free=-1)
    try:
        yield {("stock_differs", night)}
    finally:
        await ground.night(night, held=-1, free=1)


@asynccontextmanager
async def hotel_leak(ground: Ground) -> AsyncIterator[Found]:
    night = await _row(ground, "hotel")
    await ground.night(night, free=1)
    try:
        yield {("stock_unsound", night)}
    finally:
        await ground.night(night, free=-1)


@asynccontextmanager
async def tour_counter(ground: Ground) -> AsyncIterator[Found]:
    tour_id, day = (name := await _row(ground, "tour")).split("/")
    change = "update tour.stock set confirmed = confirmed + {} where item = $1 and day::text = $2"
    await ground.partner_sql("tour", change.format(1), tour_id, day)
    try:
        yield {("stock_differs", name)}
    finally:
        await ground.partner_sql("tour", change.format(-1), tour_id, day)


@asynccontextmanager
async def flight_counter(ground: Ground) -> AsyncIterator[Found]:
    name = await _row(ground, "flight")
    await ground.flight_day(name, "confirmed", -1)
    try:
        yield {("stock_differs", name)}
    finally:
        await ground.flight_day(name, "confirmed", 1)


@asynccontextmanager
async def oversold(ground: Ground) -> AsyncIterator[Found]:
    name = await _row(ground, "flight")
    await ground.flight_day(name, "total", -10_000_000)
    try:
        yield {("stock_unsound", name)}
    finally:
        await ground.flight_day(name, "total", 10_000_000)


async def _row(ground: Ground, partner: str) -> str:
    """A row of stock that a confirmed trip is in."""
    day = some_day()
    trip = await ground.traveller.book(bench_order(day), wait=60)
    assert trip["status"] == "confirmed"
    rows = (await ground.traveller.read(partner, "/inventory?limit=500"))["items"]
    return next(f"{r['id']}/{r['date']}" for r in rows if r["date"] >= str(day) and r["confirmed"])


@asynccontextmanager
async def points_lost(ground: Ground) -> AsyncIterator[Found]:
    await ground.member("M-1001", -7)
    try:
        yield {("points_differ", "all members")}
    finally:
        await ground.member("M-1001", 7)


@asynccontextmanager
async def points_negative(ground: Ground) -> AsyncIterator[Found]:
    await ground.member("M-1003", -2_001)
    await ground.member("M-1002", 2_001)
    try:
        yield {("points_negative", "M-1003")}
    finally:
        await ground.member("M-1003", 2_001)
        await ground.member("M-1002", -2_001)


@asynccontextmanager
async def refunded_twice(ground: Ground) -> AsyncIterator[Found]:
    key = (await ground.confirmed())["trip_id"]
    insert = "insert into payment.transfers values ($1, 'refund', 'captured', 'cards', 'JPY', 9)"
    await ground.partner_sql("payment", insert, key)
    try:
        yield {("ledger_differs", "captured JPY")}
    finally:
        await ground.partner_sql(
            "payment", "delete from payment.transfers where key = $1 and kind = 'refund'", key
        )


LONG_AGO = "now() - interval '1 day'"
ENDED = f"status = 'failed', updated_at = {LONG_AGO}, {set_in_trip('status', 'failed')}"

PLANTS: dict[str, Plant] = {
    "two statuses in the record": on_record("confirmed", set_in_trip("status", "failed"), "record_unsound"),
    "an unreadable record": on_record("undone", set_in_trip("steps,0,status", None), "record_unsound"),
    "a part released behind the trip": released_behind_the_trip,
    "another reference": on_record("confirmed", set_in_trip("steps,1,reference", "X-1"), "part_differs"),
    "another total": on_record("confirmed", set_in_trip("total,amount_minor", 1), "total_wrong"),
    "a charge left": charge_left,
    "a step contradicted": on_record("undone", set_in_trip("steps,2,status", "held"), "step_contradicted"),
    "a reservation of nobody": reservation_of_nobody,
    "a workflow terminated": terminated,
    "a workflow lost": lost_by_temporal,
    "a workflow after its trip's end": on_unfinished(ENDED, "workflow_running"),
    "a record lost": row_lost,
    "an overdue trip": on_unfinished(f"created_at = {LONG_AGO}", "overdue"),
    "a hotel's counter": hotel_counter,
    "a hotel's free rooms": hotel_leak,
    "a tour's counter": tour_counter,
    "a flight's counter": flight_counter,
    "an oversold flight": oversold,
    "points lost": points_lost,
    "points below 0": points_negative,
    "a refund past the reservations": refunded_twice,
}
