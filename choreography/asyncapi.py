"""The messages as an AsyncAPI 3 document, made from their models.

Who tells a message, who hears it and what stands in its subject is read off the protocol: off the messages of
an example, and off what they ask of each partner.
"""

import functools
import inspect
import json
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic.json_schema import models_json_schema

from choreography import dead
from choreography.delivery import MESSAGE_ID, Delivery
from choreography.example import told
from choreography.messages import SUBJECTS, TRIPS, Message, subject, written
from choreography.protocol import heard_by
from choreography.streams import streams
from trip.partner import Partner

Json = dict[str, Any]

_MESSAGES = "#/components/messages/"
_SCHEMAS = "#/components/schemas/"
_ABOUT = (
    "What partners and `trips` tell one another of a choreographed trip: CloudEvents in JSON. A message may "
    "come more than once, and messages may come in any order. A field may be added, and one that is not "
    "known is ignored."
)
_PARAMETERS = {
    "source": "who tells it",
    "next": "who goes on: a partner of the next stage, or `trips` after the last one",
    "consumer": "the durable consumer that the message was meant for",
}


class _Channel(NamedTuple):
    """A subject, what is told under it, and by whom to whom."""

    address: str
    kind: str
    message: Json
    parameters: dict[str, list[str]]
    senders: list[str]
    receivers: list[str]


@functools.cache
def published() -> bytes:
    """The document as it is served and printed. It is the same on every day."""
    return json.dumps(document(), ensure_ascii=False, indent=1).encode()


def main() -> None:
    """Print the document."""
    sys.stdout.buffer.write(published() + b"\n")


def document() -> Json:
    """The document."""
    messages = list(told())
    channels = {kind.__name__.lower(): _channel(kind, messages) for kind in SUBJECTS}
    listeners = _unique(who for channel in channels.values() for who in channel.receivers)
    channels["dead"] = _letters(messages[-1], listeners)
    _, models = models_json_schema(
        [(kind, "serialization") for kind in SUBJECTS], ref_template=f"{_SCHEMAS}{{model}}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Trip booking saga: messages", "version": "1", "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": {"nats": _server()},
        "channels": {name: _described(channel) for name, channel in channels.items()},
        "operations": {
            f"{action}_{name}": _operation(action, name, channel.kind, who)
            for name, channel in channels.items()
            for action, who in (("send", channel.senders), ("receive", channel.receivers))
            if who
        },
        "components": {
            "messages": {channel.kind: channel.message for channel in channels.values()},
            "schemas": models["$defs"],
        },
    }


def _channel(kind: type[Message], messages: Iterable[Message]) -> _Channel:
    mine = [message for message in messages if type(message) is kind]
    subjects = [subject(message).split(".") for message in mine]
    senders = _unique(message.source for message in mine)
    hear = {who for message in mine for who in heard_by(message)}
    return _Channel(
        address=SUBJECTS[kind],
        kind=kind.__name__,
        message=_message(kind, mine[0]),
        parameters={
            word.strip("{}"): _unique(words[place] for words in subjects)
            for place, word in enumerate(SUBJECTS[kind].split("."))
            if word.startswith("{")
        },
        senders=senders,
        receivers=[who for who in (*Partner, TRIPS) if who in hear],
    )


def _message(kind: type[Message], example: Message) -> Json:
    return {
        "name": kind.model_fields["type"].default,
        "title": kind.__name__,
        "summary": inspect.getdoc(kind),
        "headers": _headers([MESSAGE_ID]),
        "payload": {"$ref": f"{_SCHEMAS}{kind.__name__}"},
        "correlationId": {"description": "the trip's id", "location": "$message.payload#/subject"},
        "examples": [_example({MESSAGE_ID: example.id}, example)],
    }


def _letters(given_up: Message, listeners: list[str]) -> _Channel:
    """The channel of dead letters; the message of the example is one that the first listener undoes at."""
    delivery = Delivery(subject(given_up), written(given_up), given_up.id, 5, given_up.time)
    headers = dead.headers(delivery, "TryLater: no answer within 1 s")
    message = {
        "title": "DeadLetter",
        "summary": "A message that a listener gave up: its body as it was, and why.",
        "headers": _headers([MESSAGE_ID, *headers]),
        "payload": {"description": "Whatever was published, also if nobody could read it."},
        "examples": [_example({MESSAGE_ID: f"{listeners[0]}-undo/{given_up.id}", **headers}, given_up)],
    }
    return _Channel(dead.SUBJECT, "DeadLetter", message, {"consumer": []}, listeners, [])


def _headers(names: list[str]) -> Json:
    return {"type": "object", "required": names, "properties": {name: {"type": "string"} for name in names}}


def _example(headers: dict[str, str], message: Message) -> Json:
    return {"headers": headers, "payload": json.loads(written(message))}


def _described(channel: _Channel) -> Json:
    return {
        "address": channel.address,
        "messages": {channel.kind: {"$ref": f"{_MESSAGES}{channel.kind}"}},
        "parameters": {
            name: {"description": _PARAMETERS[name]} | ({"enum": values} if values else {})
            for name, values in channel.parameters.items()
        },
    }


def _operation(action: str, name: str, kind: str, who: list[str]) -> Json:
    channel = f"#/channels/{name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{kind}"}],
        "tags": [{"name": one} for one in who],
    }


def _server() -> Json:
    kept = "; ".join(f"the stream {one.name} keeps {', '.join(one.subjects or ())}" for one in streams(1))
    return {
        "host": "{host}",
        "protocol": "nats",
        "description": f"NATS with JetStream: {kept}.",
        "variables": {"host": {"description": "as NATS_URL says", "default": "localhost:4222"}},
    }


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
