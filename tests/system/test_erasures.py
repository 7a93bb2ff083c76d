"""An operator takes a traveller out of ended trips: over HTTP, and by a command."""

import asyncio
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest

from tests.conftest import ROOT, RunningSystem
from tests.patience import PATIENCE_S
from trials.orders import Json, order
from trials.traveller import Traveller


def order_of(email: str, **changes: Any) -> Json:
    return order(traveller={"name": "Grace Brewster", "email": email, "member_id": "M-1001"}, **changes)


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@Example.com"


def command(system: RunningSystem, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "record", "erase", *words],
        cwd=ROOT, env=os.environ | {"TRIPS_DATA_DIR": str(system.data_dir)},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


async def test_an_operator_erases_what_has_ended(
    system: RunningSystem, traveller: Traveller, email: str
) -> None:
    ended = [
        await traveller.book(order_of(email, coordination=kind), wait=60)
        for kind in ("orchestration", "choreography")
    ]
    assert [trip["status"] for trip in ended] == ["confirmed"] * 2
    await traveller.break_partner("flight", latency_ms=60_000, verbs=["PUT"])
    under_way = await traveller.book(order_of(email))
    try:
        status, done = await traveller.call("POST", "/erasures", json={"email": email.lower()})
        assert (status, done) == (200, {"erased": 2, "not_ended": 1})
        _, page = await traveller.call("GET", f"/trips?email={email}")
        assert [trip["trip_id"] for trip in page["items"]] == [under_way["trip_id"]]
        for trip in ended:
            assert await traveller.trip(trip["trip_id"]) == trip
    finally:
        await traveller.mend_partner("flight")
    await traveller.until(under_way["trip_id"])


async def test_a_command_erases_in_every_tenant(
    system: RunningSystem, traveller: Traveller, email: str
) -> None:
    declined = {"card_token": "tok_declined", "currency": "JPY"}
    trip = await traveller.book(order_of(email, payment=declined), wait=60)
    assert trip["status"] == "failed"
    other = await asyncio.to_thread(command, system, "--email", email, "--tenant", "other")
    assert (other.returncode, other.stdout) == (0, "0 erased, 0 not ended and left as they are\n")
    done = await asyncio.to_thread(command, system, "--email", email.upper())
    assert (done.returncode, done.stdout) == (0, "1 erased, 0 not ended and left as they are\n")
    after = await traveller.trip(trip["trip_id"])
    assert (after["failure"]["code"], after["failure"]["message"]) == ("declined", "erased")
    [last] = [event.trip async for event in traveller.events(trip["trip_id"])][-1:]
    assert last == after
