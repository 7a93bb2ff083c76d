"""Replays one history, and finds the event at which it fails."""

import re
from typing import NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from config.codec import Codec
from config.temporal import data_converter
from workflows.registered import WORKFLOWS

PASSED_THROUGH = (
    "config",
    "guard",
    "partners",
    "serving",
    "trip",
    "pydantic",
    "pydantic_core",
    "annotated_types",
)

MOST_TOLD = 600

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_MESSAGE = re.compile(rf"\bmessage: {_QUOTED}")
_KIND = re.compile(rf"\br#type: {_QUOTED}")


class Failure(NamedTuple):
    """The first event that the code as it is cannot follow, and why."""

    event_id: int
    event: str
    why: str


def replayer(codec: Codec | None) -> Replayer:
    """Replays in the sandbox, which refuses what a workflow must not do, and decodes as clients do."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=data_converter(codec),
        workflow_runner=SandboxedWorkflowRunner(restrictions),
    )


def workflow_of(history: WorkflowHistory) -> str:
    """The name of the workflow that the history is of."""
    return history.events[0].workflow_execution_started_event_attributes.workflow_type.name


def has_begun(history: WorkflowHistory) -> bool:
    """Whether a worker has done a task of the workflow. If not, there is nothing to replay."""
    return any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events)


async def failure_of(replays: Replayer, history: WorkflowHistory) -> Failure | None:
    """Replay the history. None if the code as it is can go on with it."""
    error = await _error_of(replays, history)
    if error is None:
        return None
    event_id = await _where_it_fails(replays, history)
    event = EventType.Name(history.events[event_id - 1].event_type).removeprefix("EVENT_TYPE_")
    return Failure(event_id, event.title().replace("_", ""), _why(error))


async def _where_it_fails(replays: Replayer, history: WorkflowHistory) -> int:
    """The number of the event with which the history begins to fail.

    Few errors name an event. The first events of a history are a history too, so the shortest beginning that
    fails is searched by halves.
    """
    passes, fails = 0, len(history.events)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        if await _error_of(replays, WorkflowHistory(history.workflow_id, history.events[:middle])):
            fails = middle
        else:
            passes = middle
    return fails


async def _error_of(replays: Replayer, history: WorkflowHistory) -> Exception | None:
    if not has_begun(history):
        return None  # the SDK would wait for a task without end
    result = await replays.replay_workflow(history, raise_on_replay_failure=False)
    return result.replay_failure


def _why(error: Exception) -> str:
    """What the workflow or the SDK said, each message before its cause's. The SDK shows a Rust structure."""
    said = str(error)
    messages = _MESSAGE.findall(said)
    kinds = _KIND.findall(said)[::-1]  # a cause stands before the kind of what it caused
    if len(kinds) != len(messages):
        kinds = [""] * len(messages)
    told = [f"{kind}: {message}" if kind else message for kind, message in zip(kinds, messages, strict=True)]
    plain = "; caused by ".join(told).replace('\\"', '"').replace("\\'", "'").replace("\\n", " ") or said
    return plain[:MOST_TOLD]
