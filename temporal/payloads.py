"""One walk over the payloads of a workflow's step. The SDK takes three.

The SDK walks through each activation and each completion for the codec, for storage outside of Temporal, and
for references to that storage. A walk visits every field by a coroutine, and makes a task for each payload.
Here is no storage outside, and a step has a few payloads in known places. A message with any other kind of
job or command is left to the SDK.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import temporalio.bridge.worker as bridge
import temporalio.worker._workflow as workflow_worker
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter
from temporalio.converter._extstore import StorageOperationMetrics

_sdk_decodes, _sdk_encodes = bridge.decode_activation, bridge.encode_completion

_JOBS_WITHOUT = frozenset(
    {"fire_timer", "update_random_seed", "cancel_workflow", "notify_has_patch", "remove_from_cache"}
)
_COMMANDS_WITHOUT = frozenset(
    {
        "start_timer",
        "cancel_timer",
        "request_cancel_activity",
        "request_cancel_local_activity",
        "set_patch_marker",
        "upsert_workflow_search_attributes",
    }
)


class _LeftToTheSdk(Exception):
    """The message has payloads in other places."""


def walk_once() -> None:
    """Have the workers of this process take one walk. Only for converters that take no context."""
    bridge.decode_activation = decode_activation
    bridge.encode_completion = encode_completion
    # Made anew for each step, so as to find the context of each payload.
    workflow_worker._CommandAwareDataConverter.create = _without_context  # type: ignore[assignment,method-assign]


async def decode_activation(
    activation: WorkflowActivation,
    data_converter: DataConverter,
    decode_headers: bool,
    storage_concurrency_limit: int,
) -> StorageOperationMetrics:
    """As the SDK's."""
    try:
        found = _few(_in_jobs(activation.jobs), data_converter, decode_headers)
    except _LeftToTheSdk:
        return await _sdk_decodes(activation, data_converter, decode_headers, storage_concurrency_limit)
    if codec := data_converter.payload_codec:
        _replace(found, await codec.decode(found))
    return StorageOperationMetrics()


async def encode_completion(
    completion: WorkflowActivationCompletion,
    data_converter: DataConverter,
    encode_headers: bool,
    storage_concurrency_limit: int,
) -> StorageOperationMetrics:
    """As the SDK's. What a local activity is given stays in clear, since it never leaves the process."""
    try:
        found = _few(_in_commands(completion), data_converter, encode_headers)
    except _LeftToTheSdk:
        return await _sdk_encodes(completion, data_converter, encode_headers, storage_concurrency_limit)
    if codec := data_converter.payload_codec:
        _replace(found, await codec.encode(found))
    return StorageOperationMetrics()


def _few(found: Iterator[Payload], converter: DataConverter, headers: bool) -> list[Payload]:
    if headers or converter.external_storage:
        raise _LeftToTheSdk
    return list(found)


def _replace(payloads: list[Payload], by: list[Payload]) -> None:
    for payload, other in zip(payloads, by, strict=True):
        if other is not payload:
            payload.CopyFrom(other)


def _in_jobs(jobs: Iterable[WorkflowActivationJob]) -> Iterator[Payload]:
    for job in jobs:
        kind = job.WhichOneof("variant")
        if kind == "resolve_activity":
            result = job.resolve_activity.result
            if result.WhichOneof("status") != "completed":
                raise _LeftToTheSdk
            if result.completed.HasField("result"):
                yield result.completed.result
        elif kind == "initialize_workflow":
            start = job.initialize_workflow
            before = start.HasField("continued_failure") or start.HasField("last_completion_result")
            if before or start.memo.fields:
                raise _LeftToTheSdk
            yield from start.arguments
        elif kind not in _JOBS_WITHOUT:
            raise _LeftToTheSdk


def _in_commands(completion: WorkflowActivationCompletion) -> Iterator[Payload]:
    if completion.WhichOneof("status") != "successful":
        raise _LeftToTheSdk
    for command in completion.successful.commands:
        if command.event_group_markers:
            raise _LeftToTheSdk
        yield from _in_command(command)
        shown = command.user_metadata
        for field in ("summary", "details"):
            if shown.HasField(field):
                yield getattr(shown, field)


def _in_command(command: WorkflowCommand) -> Iterator[Payload]:
    match command.WhichOneof("variant"):
        case "schedule_local_activity":
            if command.schedule_local_activity.include_arguments_in_marker:
                yield from command.schedule_local_activity.arguments
        case "schedule_activity":
            yield from command.schedule_activity.arguments
        case "complete_workflow_execution":
            if command.complete_workflow_execution.HasField("result"):
                yield command.complete_workflow_execution.result
        case kind if kind not in _COMMANDS_WITHOUT:
            raise _LeftToTheSdk


def _without_context(*, context_free_dc: DataConverter, **_: object) -> Any:
    return context_free_dc
