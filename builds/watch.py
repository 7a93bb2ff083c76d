"""What goes wrong with a build that gets trips.

Temporal retries a workflow task that fails without end, and shows the failure in its history alone. A list of
workflows does not tell of it, unless the server is told to. So the workflows that run are asked, one by one,
whether their task is a retry.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from builds.patience import patiently
from builds.trips import ENDED, NEWLY, OF_TRIPS, RUNNING, TROUBLED, build_of, count, described, of_build
from config.temporal import RPC_TIMEOUT
from temporal.pollers import polled
from temporal.workflows import AT_ONCE, executions

LOOK_EVERY_S = 1.0
MOST_ASKED = 2000
"""At one look, the newest first."""
MOST_TOLD = 5
LAST_EVENTS = 20

BEFORE = timedelta(minutes=10)
"""Trips of other builds are compared with that began since then."""
ENOUGH = 10
"""A share of fewer trips says nothing."""

FAULTS: dict[int, str] = {
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR: "cannot follow its history",
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE: "raised an error",
}


class Fault(NamedTuple):
    """What is wrong, and with what: a workflow, or the build."""

    where: str
    what: str


@dataclass(frozen=True)
class Watch:
    """Looks at a build since it got its first trips.

    Its share of trips in trouble may be greater than that of the other builds by `margin`, from 0 to 1. None:
    nobody can tell, since the namespace lacks the search attributes of trips.
    """

    client: Client
    build: str
    since: datetime
    margin: float | None

    async def within(self, seconds: float) -> list[Fault]:
        """What is found within that time: the faults of the first look that finds any. Raises RPCError."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while True:
            faults = await patiently(self.look)
            left = end - clock()
            if faults or left <= 0:
                return faults
            await asyncio.sleep(min(LOOK_EVERY_S, left))

    async def look(self) -> list[Fault]:
        """What is wrong now. Raises RPCError."""
        faults = [fault async for fault in self._failed()]
        faults += await self._failing_tasks()
        if self.margin is not None:
            faults += await self._in_trouble(self.margin)
        if not (await polled(self.client)).workers.get(self.build):
            faults.append(Fault(f"build {self.build}", "no worker polls any more"))
        return faults[:MOST_TOLD]

    async def _failed(self) -> AsyncIterator[Fault]:
        """Trips whose workflows have failed. A trip that could not be had is no such one."""
        since = f"CloseTime >= '{_time(self.since)}'"
        query = f"{OF_TRIPS} and {of_build(self.build)} and ExecutionStatus = 'Failed' and {since}"
        async for found in executions(self.client, query):
            yield Fault(found.execution.workflow_id, "its workflow has failed")

    async def _failing_tasks(self) -> list[Fault]:
        running: list[WorkflowExecution] = []
        async for found in executions(self.client, RUNNING):
            # The list knows no build of a workflow whose first task with a build fails.
            if build_of(found) in (None, self.build):
                running.append(found.execution)
            if len(running) == MOST_ASKED:
                break
        faults = []
        for start in range(0, len(running), AT_ONCE):
            batch = running[start : start + AT_ONCE]
            faults += await asyncio.gather(*(self._failing_task(run) for run in batch))
        return [fault for fault in faults if fault is not None]

    async def _failing_task(self, run: WorkflowExecution) -> Fault | None:
        found = await described(self.client, run)
        if found is None or found.task_attempt < 2 or found.build != self.build:
            return None
        for event in await self._last_events(run):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                failed = event.workflow_task_failed_event_attributes
                if failed.cause in FAULTS and event.event_time.ToDatetime(UTC) >= self.since:
                    return Fault(run.workflow_id, f"its workflow {FAULTS[failed.cause]}")
        return None

    async def _last_events(self, run: WorkflowExecution) -> list[HistoryEvent]:
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self.client.namespace, execution=run, maximum_page_size=LAST_EVENTS
        )
        try:
            found = await self.client.workflow_service.get_workflow_execution_history_reverse(
                request, retry=True, timeout=RPC_TIMEOUT
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return []
            raise
        return list(found.history.events)

    async def _in_trouble(self, margin: float) -> list[Fault]:
        """Whether a greater share of the build's trips fails or needs attention than of the others."""
        own = f"{of_build(self.build)} and {NEWLY.format(_time(self.since))}"
        all_since = NEWLY.format(_time(self.since - BEFORE))
        counts = await asyncio.gather(
            *(
                count(self.client, f"{OF_TRIPS} and {which} and {how}")
                for which in (own, f"{of_build(self.build)} and {all_since}", all_since)
                for how in (TROUBLED, ENDED)
            )
        )
        troubled, ended, own_troubled, own_ended, all_troubled, all_ended = counts
        if ended < ENOUGH:
            return []
        usual = _share(all_troubled - own_troubled, all_ended - own_ended)
        if _share(troubled, ended) <= usual + margin:
            return []
        told = f"{troubled} of {ended} trips failed or need attention; of other trips it is {usual:.0%}"
        return [Fault(f"build {self.build}", told)]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _time(moment: datetime) -> str:
    return moment.isoformat()
