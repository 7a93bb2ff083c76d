"""`python -m tests.audit.fill COUNT` fills the system of `$TRIPS_DATA_DIR` with trips that have ended.

One in five is undone, the others are confirmed. Reservations are made at the partners' own interfaces; rows
and workflows directly, which is quicker than booking and leaves the same for an audit to read.
"""

import asyncio
import json
import os
import random
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from record.pool import Pool, open_pool
from trials.orders import bench_order
from trip.order import TripOrder
from trip.partner import PAYMENT, Partner
from trip.plan import STAGES, asked
from trip.trip import Booking, Links, Step, StepStatus, Trip, TripStatus, new_trip

AT_ONCE = 24
QUEUE = "audit-fill"
INSERT = """
    insert into trips (trip_id, tenant, body_hash, booking, trip, status, version,
                       created_at, updated_at, started_at)
    values ($1, 'default', '', $2, $3, $4, 1, $5, $5, $5)
"""


@workflow.defn(name="BookTrip")
class Ended:
    """A trip's workflow that has nothing left to do."""

    @workflow.run
    async def run(self) -> None:
        """End."""


class Filler:
    """Makes trips that have ended."""

    def __init__(
        self, http: aiohttp.ClientSession, partners: dict[str, str], pool: Pool, client: Client
    ) -> None:
        self._http, self._partners, self._pool, self._client = http, partners, pool, client

    async def fill(self, count: int) -> None:
        """Make `count` trips."""
        numbers = iter(range(count))
        async with (
            Worker(
                self._client,
                task_queue=QUEUE,
                workflows=[Ended],
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            asyncio.TaskGroup() as group,
        ):
            for _ in range(AT_ONCE):
                group.create_task(self._some(numbers))

    async def _some(self, numbers: Any) -> None:
        for number in numbers:
            await self._one(undone=number % 5 == 0)
            if number % 1000 == 0:
                print(number, flush=True)

    async def _one(self, undone: bool) -> None:
        trip = await (self._undone if undone else self._booked)(_booking())
        await self._client.execute_workflow("BookTrip", id=trip.trip_id, task_queue=QUEUE)

    async def _undone(self, booking: Booking) -> Trip:
        trip = new_trip(booking)
        trip.status = TripStatus.FAILED
        for step in trip.steps:
            await self._call("DELETE", step.name, trip.trip_id)
            step.status = StepStatus.RELEASED
        return await self._record(booking, trip)

    async def _booked(self, booking: Booking) -> Trip:
        trip, order = new_trip(booking), booking.order
        trip.status = TripStatus.CONFIRMED
        assert order.points is not None
        bodies: dict[Partner, Any] = {
            partner: asked(order, partner, order.points.redeem) for stage in STAGES[:-1] for partner in stage
        }
        for partner, body in bodies.items():
            await self._part(trip.step(partner), trip.trip_id, body)
        total = sum(step.amount_minor or 0 for step in trip.steps)
        card = {"card_token": order.payment.card_token, "amount_minor": total, "currency": "JPY"}
        await self._part(trip.step(PAYMENT), trip.trip_id, card)
        trip.total.amount_minor = total
        return await self._record(booking, trip)

    async def _part(self, step: Step, key: str, body: Any) -> None:
        held = await self._call("PUT", step.name, key, body)
        await self._call("POST", step.name, f"{key}/confirm")
        step.status, step.reference = StepStatus.CONFIRMED, held["reference"]
        step.amount_minor = held["amount_minor"]

    async def _call(self, method: str, partner: Partner, rest: str, body: Any = None) -> dict[str, Any]:
        url = f"{self._partners[partner]}/reservations/{rest}"
        async with self._http.request(method, url, json=body) as answer:
            assert answer.status in (200, 201), await answer.text()
            return dict(await answer.json())

    async def _record(self, booking: Booking, trip: Trip) -> Trip:
        await self._pool.execute(
            INSERT,
            trip.trip_id,
            booking.model_dump(mode="json"),
            trip.model_dump(mode="json"),
            trip.status.value,
            trip.created_at,
        )
        return trip


def _booking() -> Booking:
    trip_id = str(uuid.uuid4())
    day = datetime.now(UTC).date() + timedelta(days=random.randint(1, 365))
    return Booking(
        trip_id=trip_id,
        tenant="default",
        order=TripOrder.model_validate_json(json.dumps(bench_order(day))),
        accepted_at=datetime.now(UTC),
        links=Links(self_="", events="", temporal_ui=""),
    )


async def main(count: int) -> None:
    """Fill the system."""
    data_dir = Path(os.environ.get("TRIPS_DATA_DIR") or ".data")
    places = json.loads((data_dir / "run" / "stack.json").read_text())
    client = await Client.connect(places["temporal"])
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http, open_pool(places["database_url"]) as pool:
        await Filler(http, places["partners"], pool, client).fill(count)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
