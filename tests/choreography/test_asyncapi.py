"""The document of the messages: it is whole, its examples hold, and receivers listen."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, product
from typing import Any, get_args

import jsonschema_rs
import pytest

from choreography import ledger
from choreography.asyncapi import published
from choreography.messages import SUBJECTS, TRIPS, AnyMessage, Message, read
from choreography.participant import durables
from tests.conftest import ROOT
from tests.patience import PATIENCE_S
from trip.partner import Partner

Json = dict[str, Any]

KINDS: tuple[type[Message], ...] = get_args(get_args(AnyMessage)[0])


@pytest.fixture(scope="module")
def document() -> Json:
    return dict(json.loads(published()))


def referred(document: Json, reference: str) -> Any:
    """What `#/a/b` stands for. Raises KeyError if it stands for nothing."""
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def references(value: Any) -> Iterator[str]:
    """Every reference in the document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_message_has_its_channel_and_both_its_ends(document: Json) -> None:
    assert set(SUBJECTS) == set(KINDS)
    for kind in KINDS:
        name = kind.__name__.lower()
        channel = document["channels"][name]
        assert channel["address"] == SUBJECTS[kind]
        assert list(channel["messages"]) == [kind.__name__]
        for action in ("send", "receive"):
            operation = document["operations"][f"{action}_{name}"]
            assert operation["channel"] == {"$ref": f"#/channels/{name}"}
            assert operation["tags"]
    assert document["channels"]["dead"]["address"] == "dead.{consumer}"


def test_every_reference_stands_for_something(document: Json) -> None:
    found = set(references(document))
    assert len(found) > len(KINDS)
    assert all(referred(document, reference) for reference in found)


def test_every_parameter_of_an_address_is_described(document: Json) -> None:
    for channel in document["channels"].values():
        names = [word.strip("{}") for word in channel["address"].split(".") if word.startswith("{")]
        assert list(channel["parameters"]) == names


def test_every_example_fits_its_schemas(document: Json) -> None:
    for name, message in document["components"]["messages"].items():
        for part in ("headers", "payload"):
            schema = message[part] | {"components": document["components"]}
            for example in message["examples"]:
                jsonschema_rs.validate(schema, example[part])
        for example in message["examples"]:
            body = json.dumps(example["payload"]).encode()
            assert name in (type(read(body)).__name__, "DeadLetter")


@pytest.mark.parametrize("missing", ["type", "subject"])
def test_a_schema_refuses_what_no_listener_can_read(document: Json, missing: str) -> None:
    for kind in KINDS:
        message = document["components"]["messages"][kind.__name__]
        payload = dict(message["examples"][0]["payload"])
        del payload[missing]
        schema = message["payload"] | {"components": document["components"]}
        assert not jsonschema_rs.is_valid(schema, payload)


@pytest.mark.parametrize("who", [*Partner, TRIPS])
def test_who_receives_a_message_listens_to_it(document: Json, who: str) -> None:
    listened = ledger.SUBJECTS if who == TRIPS else tuple(chain(*durables(Partner(who)).values()))
    for name, operation in document["operations"].items():
        if not name.startswith("receive_") or {"name": who} not in operation["tags"]:
            continue
        addresses = list(addresses_of(referred(document, operation["channel"]["$ref"])))
        assert any(takes(one, address) for one in listened for address in addresses), name


def addresses_of(channel: Json) -> Iterator[str]:
    """Every subject of the channel."""
    names = list(channel["parameters"])
    for values in product(*(channel["parameters"][name]["enum"] for name in names)):
        yield channel["address"].format(**dict(zip(names, values, strict=True)))


def takes(pattern: str, subject: str) -> bool:
    """Whether NATS counts the subject to the pattern."""
    wanted, words = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, words = wanted[:-1], words[: len(wanted) - 1]
    return len(wanted) == len(words) and all(
        one in ("*", word) for one, word in zip(wanted, words, strict=True)
    )


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "choreography", "asyncapi"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE_S, check=True).stdout == (
        published() + b"\n"
    )


def test_it_names_no_place_of_this_system(document: Json) -> None:
    assert document["servers"]["nats"]["host"] == "{host}"
    assert "127.0.0.1" not in json.dumps(document)
