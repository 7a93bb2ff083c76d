"""Stands for Temporal's server and the SDK's core: hands the SDK's own workflow instance its activations.

A workflow task lasts until no local activity is left. Then all that led there is in the history. A task that
is lost leaves nothing in the history, but what its local activities did is done.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import temporalio.api.common.v1
from temporalio import workflow
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.common import Priority, TypedSearchAttributes
from temporalio.converter import DefaultFailureConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker._workflow_instance import (
    WorkflowInstance,
    WorkflowInstanceDetails,
    _WorkflowLogicFlag,
)

from config.temporal import SharedPydanticConverter
from tests.workflows.behaviours import START
from tests.workflows.world import Failed, World
from trip.calls import BreakerCheck, PartnerCall
from trip.fence import Barring
from trip.partner import Patience
from trip.trip import Booking, Trip
from workflows.book_trip import BookTrip

MOST_ATTEMPTS = 20
NEXT_DEFAULT = (int(_WorkflowLogicFlag.PROCESS_WORKFLOW_ACTIVATION_JOBS_AS_SINGLE_BATCH),)
"""With this flag, Temporal's cancel is raised in every `wait_condition`, in whatever task it waits."""

CANCEL, TEMPORAL_CANCEL, LATE = "cancel", "cancelled_by_temporal", "late"
TAKEN_OVER = "taken_over"

_LOOP = asyncio.new_event_loop()
_CONVERTER = SharedPydanticConverter()
_FAILURES = DefaultFailureConverter()
_DEFINITION = workflow._Definition.must_from_class(BookTrip)
_TYPES: dict[str, list[type]] = {
    "check_breaker": [BreakerCheck],
    "bar_sending": [Barring],
    "save_trip": [Trip, int],
}


@dataclass(frozen=True)
class Activation:
    """Jobs that the workflow is given together, and when."""

    jobs: tuple[WorkflowActivationJob, ...]
    at: datetime


@dataclass
class Pending:
    """An activity that was asked for and is not answered."""

    seq: int
    name: str
    arguments: list[Any]
    is_local: bool

    @property
    def is_endless(self) -> bool:
        """Whether the activity is run again until it gets through."""
        call = self.arguments[0]
        return not self.is_local and (not isinstance(call, PartnerCall) or call.patience is Patience.ENDLESS)


@dataclass
class Server:
    """The history, by workflow tasks, and the time. `answers` say which updates were accepted."""

    booking: Booking
    world: World
    flags: tuple[int, ...] = ()
    """The SDK's flags that the workers set: those of its next default, or none."""
    now: datetime = START
    tasks: list[list[Activation]] = field(default_factory=list)
    answers: dict[str, bool] = field(default_factory=dict)
    run_id: str = "run"

    def start_job(self) -> WorkflowActivationJob:
        """The job that every history begins with."""
        job = WorkflowActivationJob()
        start = job.initialize_workflow
        start.workflow_type, start.workflow_id = "BookTrip", self.booking.trip_id
        start.arguments.extend(_CONVERTER.to_payloads([self.booking]))
        return job


class Run:
    """A workflow in a worker's memory, on the way through one workflow task after another."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.world = server.world
        self._instance = _instance(server)
        self._task: list[Activation] = []
        self.pending: dict[int, Pending] = {}
        self.timers: dict[int, datetime] = {}
        self.is_stale = False
        self.result: Trip | None = None
        self._new_answers: dict[str, bool] = {}
        self._patches: list[str] = []
        for task in server.tasks:
            for activation in task:
                self._activate(activation, is_replay=True)
        self._new_answers.clear()
        self._patches.clear()

    def begin_task(self, *jobs: WorkflowActivationJob) -> None:
        """Hand the workflow what has happened since its last task."""
        self._task = []
        self._activate(Activation(jobs, self._server.now))

    @property
    def local(self) -> list[Pending]:
        """The local activities that the worker has still to run, in their order."""
        return [activity for activity in self.pending.values() if activity.is_local]

    @property
    def asks_the_record(self) -> bool:
        """Whether a question to the record, or a write of the record, is under way."""
        return any(activity.name in _TYPES for activity in self.pending.values())

    @property
    def trip(self) -> Trip:
        """The trip as the workflow has it."""
        booked: BookTrip = self._instance._object  # type: ignore[attr-defined]
        return booked._progress.trip

    def run_local(self) -> None:
        """Run the first of the local activities, and tell the workflow what came of it."""
        activity = self.local[0]
        self._activate(Activation((_answered(activity, self._server.world),), self._server.now))

    def end_task(self) -> None:
        """The task is complete: the server keeps it, unless another run has taken it over."""
        if not self.is_stale:
            if self._patches:
                first, *others = self._task
                self._task = [replace(first, jobs=(*map(_patched, self._patches), *first.jobs)), *others]
            self._server.tasks.append(self._task)
            self._server.answers |= self._new_answers
        self._task, self._patches = [], []

    def evict(self) -> None:
        """The worker forgets the workflow."""
        job = WorkflowActivationJob()
        job.remove_from_cache.SetInParent()
        self._instance.activate(self._wire(Activation((job,), self._server.now)))

    def _activate(self, activation: Activation, *, is_replay: bool = False) -> None:
        if not is_replay:
            self._task.append(activation)
        for job in activation.jobs:
            if job.HasField("resolve_activity"):
                self.pending.pop(job.resolve_activity.seq)
            elif job.HasField("fire_timer"):
                self.timers.pop(job.fire_timer.seq)
        completion = self._instance.activate(self._wire(activation, is_replay=is_replay))
        assert not completion.HasField("failed"), completion.failed.failure.message
        answers = [self._obey(command) for command in completion.successful.commands]
        cancelled = [answer for answer in answers if answer is not None]
        if cancelled and not is_replay:
            self._activate(Activation(tuple(cancelled), activation.at))

    def _wire(self, activation: Activation, *, is_replay: bool = False) -> WorkflowActivation:
        wire = WorkflowActivation(
            run_id="run",
            is_replaying=is_replay,
            history_length=3,
            available_internal_flags=self._server.flags,
            jobs=activation.jobs,
        )
        wire.timestamp.FromDatetime(activation.at)
        return wire

    def _obey(self, command: WorkflowCommand) -> WorkflowActivationJob | None:
        """Note what the workflow asks for. Returns the answer to a cancelled activity."""
        kind = command.WhichOneof("variant")
        if kind in ("schedule_local_activity", "schedule_activity"):
            self._schedule(getattr(command, kind), is_local=kind == "schedule_local_activity")
        elif kind in ("request_cancel_local_activity", "request_cancel_activity"):
            seq = getattr(command, kind).seq
            return _cancelled(seq) if seq in self.pending else None  # else it is answered already
        elif kind == "start_timer":
            after = command.start_timer.start_to_fire_timeout.ToTimedelta()
            self.timers[command.start_timer.seq] = self._server.now + after
        elif kind == "cancel_timer":
            self.timers.pop(command.cancel_timer.seq, None)
        elif kind == "update_response":
            self._note_answer(command.update_response)
        elif kind == "complete_workflow_execution":
            self.result = _CONVERTER.from_payloads([command.complete_workflow_execution.result], [Trip])[0]
        elif kind == "set_patch_marker":
            self._patches.append(command.set_patch_marker.patch_id)
        else:
            assert kind == "upsert_workflow_search_attributes", kind
        return None

    def _schedule(self, command: Any, *, is_local: bool) -> None:
        name = command.activity_type
        arguments = _CONVERTER.from_payloads(command.arguments, _TYPES.get(name, [PartnerCall]))
        self.pending[command.seq] = Pending(command.seq, name, arguments, is_local)

    def _note_answer(self, response: Any) -> None:
        match response.WhichOneof("response"):
            case "rejected":
                self._new_answers[response.protocol_instance_id] = False
            case "completed":
                self._new_answers[response.protocol_instance_id] = True


def message(kind: str) -> WorkflowActivationJob:
    """A message to the workflow: the traveller's cancel, or Temporal's own."""
    job = WorkflowActivationJob()
    if kind == CANCEL:
        job.do_update.id = job.do_update.protocol_instance_id = job.do_update.name = "cancel"
        job.do_update.run_validator = True
    else:
        job.cancel_workflow.SetInParent()
    return job


def next_event(server: Server, run: Run) -> WorkflowActivationJob | None:
    """What the server tells the workflow next: an ordinary activity's answer, else that a timer has fired."""
    for activity in run.pending.values():
        return _answered(activity, server.world)
    if not run.timers:
        return None
    seq, at = min(run.timers.items(), key=lambda timer: (timer[1], timer[0]))
    server.now = max(server.now, at)
    job = WorkflowActivationJob()
    job.fire_timer.seq = seq
    return job


def _answered(activity: Pending, world: World) -> WorkflowActivationJob:
    """Run the activity: once if it is local, else as often as its call is patient."""
    job = WorkflowActivationJob()
    job.resolve_activity.seq, job.resolve_activity.is_local = activity.seq, activity.is_local
    result = job.resolve_activity.result
    for _ in range(MOST_ATTEMPTS):
        try:
            answer = world.run(activity.name, activity.arguments, is_local=activity.is_local)
        except Failed as failed:
            if activity.is_endless and not failed.final:
                continue
            _fail(result.failed.failure, failed, activity)
        else:
            result.completed.result.CopyFrom(_CONVERTER.to_payloads([answer])[0])
        return job
    raise AssertionError(f"{activity.name} never gets through")


def _fail(failure: Failure, failed: Failed, activity: Pending) -> None:
    if not activity.is_local:
        failure.activity_failure_info.activity_type.name = activity.name
        failure = failure.cause
    final = failed.final or not activity.is_local
    error = ApplicationError(str(failed), failed.error, type=failed.error.code, non_retryable=final)
    _FAILURES.to_failure(error, _CONVERTER, failure)


def _patched(patch_id: str) -> WorkflowActivationJob:
    """The job by which a replay is told of a marker that is ahead."""
    job = WorkflowActivationJob()
    job.notify_has_patch.patch_id = patch_id
    return job


def _cancelled(seq: int) -> WorkflowActivationJob:
    job = WorkflowActivationJob()
    job.resolve_activity.seq = seq
    failure = job.resolve_activity.result.cancelled.failure
    failure.activity_failure_info.SetInParent()
    failure.cause.canceled_failure_info.SetInParent()
    return job


def _instance(server: Server) -> WorkflowInstance:
    info = workflow.Info(
        attempt=1, continued_run_id=None, cron_schedule=None, execution_timeout=None,
        first_execution_run_id="run", headers={}, namespace="default", original_execution_run_id="run",
        parent=None, root=None, priority=Priority.default, raw_memo={}, retry_policy=None,
        run_id=server.run_id,
        run_timeout=None, search_attributes={}, start_time=START, task_queue="trips",
        task_timeout=timedelta(seconds=10), typed_search_attributes=TypedSearchAttributes.empty,
        workflow_id=server.booking.trip_id, workflow_start_time=START, workflow_type="BookTrip",
    )  # fmt: skip
    details = WorkflowInstanceDetails(
        payload_converter_factory=SharedPydanticConverter, failure_converter_class=DefaultFailureConverter,
        interceptor_classes=[], defn=_DEFINITION, info=info, randomness_seed=1,
        extern_functions={
            "__temporal_assert_local_activity_valid": lambda _name: None,
            "__temporal_get_metric_meter": lambda: temporalio.common.MetricMeter.noop,
        },
        disable_eager_activity_execution=False, worker_level_failure_exception_types=[],
        patch_activation_callback=None, last_completion_result=temporalio.api.common.v1.Payloads(),
        last_failure=None,
    )  # fmt: skip

    async def created() -> WorkflowInstance:
        return UnsandboxedWorkflowRunner().create_instance(details)

    return _LOOP.run_until_complete(created())  # an instance is made on a running loop, and then has its own
