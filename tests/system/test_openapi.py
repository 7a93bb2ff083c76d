"""The front door's OpenAPI document: what it says holds, and a client can be made from it."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from choreography.asyncapi import published
from tests.conftest import ROOT, RunningSystem
from trials.orders import Json
from trials.traveller import Traveller

CASES = 5
"""Drawn at random for each operation. What the schemas bound is tried at each bound beside that."""
SEED = 1
RUN_TIMEOUT_S = 600.0
READABLE = re.compile(r"[a-z]+(_[a-z]+)+")


@pytest.fixture(scope="module")
async def document(system: RunningSystem, http: aiohttp.ClientSession) -> Json:
    """The document as the running front door serves it."""
    async with http.get(f"{system.api}/openapi.json") as answer:
        return dict(await answer.json())


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Method, path and description of every operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def parts(value: Any, name: str) -> Iterator[Any]:
    """Every value in the document that stands under the name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name:
                yield inner
            yield from parts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner, name)


def referred(document: Json, reference: str) -> Any:
    """What `#/a/b` stands for; KeyError where it stands for nothing."""
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_every_reference_stands_for_something(document: Json) -> None:
    references = set(parts(document, "$ref"))
    assert "#/components/schemas/Problem" in references
    assert all(referred(document, reference) for reference in references)


def test_every_operation_has_a_name_that_reads_well(document: Json) -> None:
    names = [operation["operationId"] for *_, operation in operations(document)]
    assert len(names) == len(set(names))
    assert [name for name in names if not READABLE.fullmatch(name)] == []
    assert {"book_trip", "get_trip", "list_trips", "cancel_trip"} <= set(names)


def test_every_refusal_names_its_codes(document: Json) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status[0] == "2" or path == "/readyz":
                continue
            schema = answer["content"]["application/problem+json"]["schema"]
            assert list(parts(schema, "enum")), (method, path, status)


async def test_the_examples_work_as_they_stand(document: Json, traveller: Traveller) -> None:
    trip_id = "unknown"  # until one is booked, for the paths that come after that
    for method, path, operation in sorted(operations(document), key=lambda one: one[1]):
        for body in examples(document, operation):
            at = path.format(trip_id=trip_id, step="hotel", partner="hotel")
            status, answer = await traveller.call(method, at, json=body, headers={"Prefer": "wait=60"})
            assert status in ((200, 202, 409) if "{step}" in path else (200, 202)), answer
            if operation["operationId"] == "book_trip":
                assert answer["status"] == "confirmed", answer
                trip_id = answer["trip_id"]
    await traveller.mend_partner("hotel")


def examples(document: Json, operation: Json) -> list[Any]:
    """Every example of what the operation is sent: of the whole, or made of those of its fields."""
    if "requestBody" not in operation:
        return []
    content = operation["requestBody"]["content"]["application/json"]
    if "examples" in content:
        return [example["value"] for example in content["examples"].values()]
    schema = referred(document, content["schema"]["$ref"])
    if "examples" in schema:
        return list(schema["examples"])
    return [{name: field["examples"][0] for name, field in schema["properties"].items()}]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/trips", {"GET", "HEAD", "POST"}),
        ("PATCH", "/trips/unknown", {"GET", "HEAD"}),
        ("POST", "/breakers/hotel", {"GET", "HEAD", "PUT"}),
        ("GET", "/trips/unknown/cancel", {"POST"}),
    ],
)
async def test_another_method_is_told_which_there_are(
    system: RunningSystem, http: aiohttp.ClientSession, method: str, path: str, allowed: set[str]
) -> None:
    headers = {"Authorization": f"Bearer {system.tokens['operator']}"}
    async with http.request(method, system.api + path, headers=headers) as answer:
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(", ")) == allowed


async def test_the_document_of_the_messages_is_open(
    system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{system.api}/asyncapi.json") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert await answer.read() == published()


@pytest.mark.timeout(RUN_TIMEOUT_S + 60)
async def test_the_front_door_does_what_its_document_says(spare: RunningSystem, tmp_path: Path) -> None:
    """Schemathesis sends what the document allows and what it does not, and judges each answer."""
    run = await asyncio.to_thread(schemathesis, spare, tmp_path)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]


def schemathesis(system: RunningSystem, place: Path) -> "subprocess.CompletedProcess[str]":
    """A run of all checks against the system."""
    command = [str(Path(sys.executable).parent / "schemathesis")]
    command += ["--config-file", str(ROOT / "schemathesis.toml"), "run", f"{system.api}/openapi.json"]
    command += ["--max-examples", str(CASES), "--seed", str(SEED), "--generation-database", "none"]
    return subprocess.run(
        command,
        cwd=place,
        env=os.environ | {"TRIPS_TOKEN": system.tokens["operator"]},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
