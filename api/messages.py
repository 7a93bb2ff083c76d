"""What the front door asks of a trip's workflow: answered by the workflow, never guessed."""

from datetime import timedelta

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from api.starter import Starter
from record import trips
from record.pool import Pool
from trip.trip import Booking, OperatorOrder

ANSWER_TIMEOUT = timedelta(seconds=10)


class Messages:
    """Messages to workflows. Each raises RPCError where Temporal or every worker is away."""

    def __init__(self, client: Client, pool: Pool, starter: Starter) -> None:
        self._client = client
        self._pool = pool
        self._starter = starter

    async def cancel(self, trip_id: str) -> bool:
        """Whether the trip will be undone; False once its capture is decided or it has ended."""
        booking = await trips.owed_booking(self._pool, trip_id)
        if booking is not None:  # accepted, and perhaps not started: only a workflow can answer
            await self._starter.start(Booking.model_validate(booking))
        return await self._ask(trip_id, "cancel")

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        """Whether the order was taken; False where the step does not need attention."""
        return await self._ask(trip_id, "operate", order)

    async def _ask(self, trip_id: str, update: str, *arguments: object) -> bool:
        handle = self._client.get_workflow_handle(trip_id)
        try:
            await handle.execute_update(update, args=arguments, rpc_timeout=ANSWER_TIMEOUT)
        except WorkflowUpdateFailedError:
            return False
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:  # the workflow has ended
                return False
            raise
        return True
