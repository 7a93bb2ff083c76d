"""Nothing of a traveller is let out by Temporal's files, logs, metrics or traces, or stays after an erasure.

A key of the codec is rotated while a trip is under way.
"""

import asyncio
import base64
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import product
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from temporalio.client import Client

from api.codec import WrittenPayload
from audit.run import audit
from config.keys import KEYS_FILE, new_keys
from tests.conftest import SHARED, RunningSystem, running_system
from tests.system.dumps import dumped
from tests.system.test_codec import written
from trials.orders import MEMBER, Json, bench_order
from trials.polling import until
from trials.receiver import receiving
from trials.traveller import Traveller

pytestmark = pytest.mark.server

TRIPS = 17
NAME, EMAIL = "Grace Brewster", "grace.brewster@example.org"
STOLEN, STRANGER = "tok_stolen_of_grace", "M-777123"
PERSONAL = (NAME, EMAIL, STOLEN, STRANGER, "tok_visa", MEMBER)
TOLD_PARTNERS = {STRANGER, MEMBER}
"""What the messages have, since the points partner needs it."""

OUTCOMES = {
    "confirmed": bench_order(),
    "declined": bench_order(payment={"card_token": STOLEN, "currency": "JPY"}),
    "refused": bench_order(traveller={"member_id": STRANGER}),
}
KINDS = ("orchestration", "choreography")


def body_of(outcome: str, kind: str) -> Json:
    chosen = OUTCOMES[outcome]
    traveller = {"member_id": MEMBER} | chosen["traveller"] | {"name": NAME, "email": EMAIL}
    return chosen | {"traveller": traveller, "coordination": kind}


def forms(text: str) -> Iterator[bytes]:
    """The text, and what base64 makes of it wherever it stands in a longer one."""
    yield text.encode()
    for before in range(3):
        written = base64.b64encode(bytes(before) + text.encode())
        first, last = -(-before * 8 // 6), (before + len(text)) * 8 // 6
        yield written[first:last]


def found_in(content: bytes) -> list[str]:
    """The personal texts that stand in the content."""
    return [text for text in PERSONAL if any(form in content for form in forms(text))]


@pytest.mark.parametrize("before", range(3))
def test_a_text_is_found_in_base64(before: int) -> None:
    said = b'{"traveller": {"name": "' + bytes(before) + NAME.encode() + b'", "email": "x"}}'
    assert found_in(base64.b64encode(said)) == [NAME]
    assert found_in(said) == [NAME]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True) as made:
        yield Path(made) / "data"


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=70)) as session:
        yield session


async def leaks_of(system: RunningSystem, http: aiohttp.ClientSession) -> dict[str, list[str]]:
    """The personal texts in Temporal's files, in the log of all parts and in the metrics."""
    kept = [path for path in (system.data_dir / "temporal").rglob("*") if path.is_file()]
    seen = {path.name: path.read_bytes() for path in [*kept, system.data_dir / "system.log"]}
    for url in (system.api, f"http://127.0.0.1:{system.ports.temporal_metrics_port}"):
        async with http.get(f"{url}/metrics") as answer:
            assert answer.status == 200
            seen[url] = await answer.read()
    assert len(seen["temporal.db"]) > 100_000
    return {name: found for name, content in seen.items() if (found := found_in(content))}


async def kept_of(system: RunningSystem) -> dict[str, list[str]]:
    """The personal texts in each table, collection and key of every store."""
    stores = await dumped(system)
    assert {"public.trips", "tour.reservations", "hotel.stays", "flight.{flight}:keys"} < stores.keys()
    return {name: found for name, text in stores.items() if (found := found_in(text.encode()))}


def broker_keeps(place: Path) -> set[str]:
    """The personal texts in the broker's files."""
    kept = [path.read_bytes() for path in (place / "nats").rglob("*") if path.is_file()]
    assert sum(map(len, kept)) > 100_000
    return {text for content in kept for text in found_in(content)}


async def shown_in_the_ui(system: RunningSystem, traveller: Traveller, trip_id: str) -> tuple[str, bytes]:
    """The id of the key that encrypts what the trip's workflow was started with, and that in clear."""
    client = await Client.connect(system.temporal)
    history = await client.get_workflow_handle(trip_id).fetch_history()
    (payload,) = history.events[0].workflow_execution_started_event_attributes.input.payloads
    status, found = await traveller.call("POST", "/codec/decode", json=written(payload))
    assert status == 200, found
    clear = WrittenPayload.model_validate(found["payloads"][0]).read().data
    return payload.metadata["encryption-key-id"].decode(), clear


async def test_nothing_of_a_traveller_is_let_out_and_nothing_stays(
    place: Path, http: aiohttp.ClientSession
) -> None:
    with receiving() as receiver:
        await through_a_rotation(place, http, SHARED | receiver.environment())
    assert {"trips-api", "trips-worker"} <= {span.service for span in receiver.spans}
    assert found_in(b"".join(receiver.bodies)) == []
    assert broker_keeps(place) == TOLD_PARTNERS


async def through_a_rotation(place: Path, http: aiohttp.ClientSession, settings: Mapping[str, str]) -> None:
    booked: dict[tuple[str, str], list[Json]] = {}
    with running_system(place, settings) as system:
        traveller = system.traveller(http)
        for kind, outcome in product(KINDS, OUTCOMES):
            trips = [traveller.book(body_of(outcome, kind), wait=60) for _ in range(TRIPS)]
            booked[kind, outcome] = await asyncio.gather(*trips)
            statuses = {trip["status"] for trip in booked[kind, outcome]}
            assert statuses == {"confirmed" if outcome == "confirmed" else "failed"}
        under_way = await held_up(traveller)
        assert await leaks_of(system, http) == {}

    keys = place / KEYS_FILE
    old, new = keys.read_text(), new_keys()
    keys.write_text(f"{new},{old}")

    with running_system(place, settings) as system:
        traveller = system.traveller(http)
        ended = await traveller.until(under_way["trip_id"])
        assert ended["status"] == "confirmed"
        later = await traveller.book(body_of("confirmed", "orchestration"), wait=60)
        assert await leaks_of(system, http) == {}
        for trip, key in ((booked["orchestration", "declined"][0], old), (under_way, old), (later, new)):
            key_id, clear = await shown_in_the_ui(system, traveller, trip["trip_id"])
            assert key_id == key.partition(":")[0]
            assert EMAIL.encode() in clear

        assert {"payment.reservations", "points.nodes", "points.edges"} < (await kept_of(system)).keys()
        status, done = await traveller.call("POST", "/erasures", json={"email": EMAIL})
        assert (status, done) == (200, {"erased": len(KINDS) * len(OUTCOMES) * TRIPS + 2, "not_ended": 0})
        assert await kept_of(system) == {}
        report = await audit(system.endpoints())
        assert report.discrepancies == []


async def held_up(traveller: Traveller) -> Json:
    """A trip that waits for its flight, whose partner answers again once the system is started anew."""
    await traveller.break_partner("flight", latency_ms=60_000, verbs=["PUT"])
    trip = await traveller.book(body_of("confirmed", "orchestration"))

    async def has_asked() -> bool:
        return bool(await traveller.calls("flight", trip["trip_id"]))

    await until(has_asked)
    return trip
