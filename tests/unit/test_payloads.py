"""One walk over a step's payloads does to each what the SDK's three walks do, whatever is in the message."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import temporalio.worker._workflow as workflow_worker
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.bridge import worker as bridge
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.service import __version__ as sdk_version

from temporal import payloads

DEPTH = 7
sdk_decodes, sdk_encodes = bridge.decode_activation, bridge.encode_completion
sdk_chooses = workflow_worker._CommandAwareDataConverter.create


class Noting(PayloadCodec):
    """Leaves in each payload what was done to it, so that twice is not once."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata=p.metadata, data=p.data + b" encoded") for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata=p.metadata, data=p.data + b" decoded") for p in payloads]


CONVERTER = DataConverter(payload_codec=Noting())


def fill(message: Message, depth: int = DEPTH) -> None:
    """Set every field of the message that may hold a payload, one of each `oneof`."""
    seen: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        group = field.containing_oneof.name if field.containing_oneof else None
        if field.message_type is None or not depth or group in seen:
            continue
        if group is not None:
            if message.WhichOneof(group):
                continue
            seen.add(group)
        place = getattr(message, field.name)
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                value = place["key"]
                value.SetInParent()
                fill_one(value, depth)
        elif field.is_repeated:
            fill_one(place.add(), depth)
        else:
            place.SetInParent()
            fill_one(place, depth)


def fill_one(message: Message, depth: int) -> None:
    if isinstance(message, Payload):
        message.data, message.metadata["encoding"] = b"a", b"json/plain"
    else:
        fill(message, depth - 1)


def variants(kind: type[Message]) -> list[str]:
    return [field.name for field in kind.DESCRIPTOR.oneofs_by_name["variant"].fields]


def results(message: WorkflowActivationJob) -> Iterator[WorkflowActivationJob]:
    """The job with each way in which an activity may end."""
    if message.WhichOneof("variant") != "resolve_activity":
        yield message
        return
    for field in message.resolve_activity.result.DESCRIPTOR.oneofs_by_name["status"].fields:
        one = WorkflowActivationJob()
        end = getattr(one.resolve_activity.result, field.name)
        end.SetInParent()
        fill(end)
        yield one


@pytest.mark.parametrize("kind", variants(WorkflowActivationJob))
@pytest.mark.parametrize("is_whole", [True, False])
async def test_every_job_is_decoded_as_the_sdk_does(kind: str, is_whole: bool) -> None:
    job = WorkflowActivationJob()
    getattr(job, kind).SetInParent()
    if is_whole:
        fill(getattr(job, kind))
    for one in results(job):
        ours = WorkflowActivation(jobs=[one])
        theirs = WorkflowActivation(jobs=[one])
        await payloads.decode_activation(ours, CONVERTER, False, 1)
        await sdk_decodes(theirs, CONVERTER, False, 1)
        assert ours == theirs


@pytest.mark.parametrize("kind", variants(WorkflowCommand))
@pytest.mark.parametrize("has_more", [True, False])
async def test_every_command_is_encoded_as_the_sdk_does(kind: str, has_more: bool) -> None:
    ours = WorkflowActivationCompletion()
    command = ours.successful.commands.add()
    getattr(command, kind).SetInParent()
    fill(getattr(command, kind))
    fill(command.user_metadata)
    if kind == "schedule_local_activity":
        command.schedule_local_activity.include_arguments_in_marker = True
    if has_more:
        fill(command)
    theirs = WorkflowActivationCompletion.FromString(ours.SerializeToString())
    await payloads.encode_completion(ours, CONVERTER, False, 1)
    await sdk_encodes(theirs, CONVERTER, False, 1)
    assert ours == theirs


async def test_what_a_local_activity_is_given_stays_in_clear() -> None:
    completion = WorkflowActivationCompletion()
    command = completion.successful.commands.add()
    command.schedule_local_activity.arguments.add(data=b"a")
    command.user_metadata.summary.data = b"a"
    await payloads.encode_completion(completion, CONVERTER, False, 1)
    assert command.schedule_local_activity.arguments[0].data == b"a"
    assert command.user_metadata.summary.data == b"a encoded"


async def test_a_failed_step_is_left_to_the_sdk() -> None:
    ours = WorkflowActivationCompletion()
    fill(ours.failed)
    theirs = WorkflowActivationCompletion.FromString(ours.SerializeToString())
    await payloads.encode_completion(ours, CONVERTER, False, 1)
    await sdk_encodes(theirs, CONVERTER, False, 1)
    assert ours == theirs


@pytest.mark.parametrize(
    ("hook", "takes"),
    [
        (sdk_decodes, "activation data_converter decode_headers storage_concurrency_limit"),
        (sdk_encodes, "completion data_converter encode_headers storage_concurrency_limit"),
        (sdk_chooses, "instance context_free_dc workflow_context_dc workflow_context"),
    ],
)
def test_the_sdk_has_the_private_functions_that_are_replaced(hook: Callable[..., Any], takes: str) -> None:
    found = " ".join(inspect.signature(hook).parameters)
    assert found == takes, (
        f"temporalio {sdk_version} calls {hook.__qualname__} with other arguments; "
        "see whether temporal/payloads.py still does what the SDK does"
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(payloads.decode_activation, sdk_decodes), (payloads.encode_completion, sdk_encodes)],
)
def test_what_replaces_them_takes_the_same(ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    assert inspect.signature(ours).parameters.keys() == inspect.signature(theirs).parameters.keys()


def test_the_sdk_looks_them_up_at_each_step() -> None:
    step = inspect.getsource(workflow_worker._WorkflowWorker._handle_activation)
    for call in ("bridge.worker.decode_activation(", "bridge.worker.encode_completion("):
        assert call in step, f"temporalio {sdk_version} does not call what temporal/payloads.py replaces"
    assert "_CommandAwareDataConverter.create(" in step
