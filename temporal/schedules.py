"""What Temporal runs by itself, every so often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT
from trip.partner import TASK_QUEUE

PROBE_PARTNERS = "probe-partners"
AUDIT_STORES = "audit-stores"
SCHEDULES = (PROBE_PARTNERS, AUDIT_STORES)
"""The ids of the schedules."""


@dataclass(frozen=True)
class Timetable:
    """Have `workflow` run every `interval_s` seconds, one run at a time.

    A run that takes longer than `limit_s` is ended: while it goes on, those that follow are skipped.
    Workers of the task queue `queue` carry it out.
    """

    schedule_id: str
    workflow: str
    interval_s: float
    limit_s: float
    queue: str = TASK_QUEUE

    def schedule(self) -> Schedule:
        """As Temporal takes it."""
        return Schedule(
            action=ScheduleActionStartWorkflow(
                self.workflow,
                id=self.schedule_id,
                task_queue=self.queue,
                execution_timeout=timedelta(seconds=self.limit_s),
            ),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=self.interval_s))]),
            # A run that was missed is made up for by the next one.
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)),
        )


async def missing(client: Client) -> list[str]:
    """The schedules that are not there. One that is paused is there. Raises RPCError."""
    return [schedule_id for schedule_id in SCHEDULES if not await _is_there(client, schedule_id)]


async def _is_there(client: Client, schedule_id: str) -> bool:
    try:
        await client.get_schedule_handle(schedule_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def ensure(client: Client, timetables: Sequence[Timetable], *, anew: bool) -> None:
    """Make the schedules that are not there. With `anew`, bring the others to what the timetable says.

    An operator's pause is kept. Raises RPCError.
    """
    for timetable in timetables:
        schedule = timetable.schedule()
        try:
            await client.create_schedule(timetable.schedule_id, schedule, rpc_timeout=RPC_TIMEOUT)
        except ScheduleAlreadyRunningError:
            if anew:
                await _update(client, timetable.schedule_id, schedule)


async def _update(client: Client, schedule_id: str, schedule: Schedule) -> None:
    def changed(found: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=replace(schedule, state=found.description.schedule.state))

    await client.get_schedule_handle(schedule_id).update(changed, rpc_timeout=RPC_TIMEOUT)
