"""A client that is generated from an OpenAPI document works, and knows every refusal by its code."""

import asyncio
import importlib
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from partners.app import create_app
from partners.catalogue import PARTNERS
from partners.lab import Lab, add_lab
from partners.service import load
from tests.conftest import RunningSystem
from tests.system.test_openapi import operations, parts
from trials.orders import Json, order, some_day

PACKAGE = "generated_trips_client"


def generated(document: Json, place: Path, name: str) -> None:
    """Make a client of the document, in a package of that name. It must be made without a warning."""
    written = place / f"{name}.json"
    written.write_text(json.dumps(document))
    config = Config.from_sources(
        ConfigFile(post_hooks=[]), MetaType.NONE, written, "utf-8", overwrite=False, output_path=place / name
    )
    assert generate(config=config) == []


@pytest.fixture(scope="module")
async def document(system: RunningSystem, http: aiohttp.ClientSession) -> Json:
    async with http.get(f"{system.api}/openapi.json") as answer:
        return dict(await answer.json())


@pytest.fixture(scope="module")
async def place(document: Json, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """Where the front door's client can be imported from."""
    place = tmp_path_factory.mktemp("client")
    await asyncio.to_thread(generated, document, place, PACKAGE)
    sys.path.insert(0, str(place))
    yield place
    sys.path.remove(str(place))


def call(operation: str, tag: str = "trips") -> ModuleType:
    """The generated module of an operation."""
    return importlib.import_module(f"{PACKAGE}.api.{tag}.{operation}")


def model(name: str) -> Any:
    return getattr(importlib.import_module(f"{PACKAGE}.models"), name)


async def test_it_books_lists_and_cancels_and_every_refusal_has_its_code(
    place: Path, system: RunningSystem
) -> None:
    clients = importlib.import_module(f"{PACKAGE}.client")
    trips = clients.AuthenticatedClient(
        base_url=system.api, token=system.tokens["traveller"], timeout=httpx.Timeout(70)
    )
    body = model("TripOrder").from_dict(order(some_day()))
    booked = await call("book_trip").asyncio(
        client=trips, body=body, idempotency_key="generated", prefer="wait=60"
    )
    assert booked.status == "confirmed"
    assert [step.status for step in booked.steps] == ["confirmed"] * len(booked.steps)
    listed = await call("list_trips").asyncio(client=trips, limit=500)
    assert booked.trip_id in [trip.trip_id for trip in listed.items]

    other = model("TripOrder").from_dict(order(some_day(), deadline_s=77))
    past = model("TripOrder").from_dict(order(some_day().replace(year=2020)))
    stranger = clients.AuthenticatedClient(base_url=system.api, token="wrong", timeout=httpx.Timeout(70))
    refusals = {
        "already_final": call("cancel_trip").asyncio(client=trips, trip_id=booked.trip_id),
        "unknown_trip": call("get_trip").asyncio(client=trips, trip_id="none"),
        "idempotency_key_reused": call("book_trip").asyncio(
            client=trips, body=other, idempotency_key="generated"
        ),
        "invalid": call("book_trip").asyncio(client=trips, body=past),
        "unauthorised": call("list_trips").asyncio(client=stranger),
        "forbidden": call("list_breakers", "breakers").asyncio(client=trips),
    }
    for code, refusal in refusals.items():
        assert (await refusal).code == code

    undone = await call("book_trip").asyncio(client=trips, body=body)
    cancelled = await call("cancel_trip").asyncio(client=trips, trip_id=undone.trip_id)
    # The trip may be past its capture by then, or Temporal slow to say.
    assert getattr(cancelled, "trip_id", None) == undone.trip_id or cancelled.code in {
        "already_final",
        "temporal_unavailable",
    }


async def test_every_refusal_in_the_document_is_parsed(place: Path, document: Json) -> None:
    client = importlib.import_module(f"{PACKAGE}.client").Client(base_url="http://nowhere")
    refusals = 0
    for _, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            problem = answer.get("content", {}).get("application/problem+json")
            if problem is None:
                continue
            codes = next(parts(problem["schema"], "code"))["enum"]
            for code in codes:
                body = {"title": "t", "status": int(status), "code": code, "detail": "d"}
                module = call(operation["operationId"], re.sub(r"\W", "_", operation["tags"][0]))
                parsed = module._build_response(
                    client=client, response=httpx.Response(int(status), json=body)
                )
                assert parsed.parsed.code == code, (path, status)
                refusals += 1
    assert refusals > 100


def test_a_partners_document_makes_a_client_too(tmp_path: Path) -> None:
    app = create_app(load(PARTNERS[0]), None)
    add_lab(app, Lab())
    generated(app.openapi(), tmp_path, "generated_partner_client")
