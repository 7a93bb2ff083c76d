"""A traveller's and a lab technician's calls, as tests make them over HTTP."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import aiohttp

from trip.examples import example_order
from trip.trip import FINAL_STATUSES

FINAL = {status.value for status in FINAL_STATUSES}
SETTLE_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.05

Json = dict[str, Any]


def some_day() -> date:
    """A day of its own, almost surely, for a test to book on."""
    return datetime.now(UTC).date() + timedelta(days=random.randint(30, 1000))


def order(day: date | None = None, **changes: Any) -> Json:
    """The example trip on `day`, changed; a part given as None is left out.

    Its member's points do not run out, however many tests redeem some.
    """
    body = example_order(day or some_day())
    body["traveller"]["member_id"] = "BENCH-MEMBER"
    return {name: part for name, part in (body | changes).items() if part is not None}


BENCH = (
    ("hotel", "hotel_id", "BENCH-HOTEL"),
    ("tour", "tour_id", "BENCH-TOUR"),
    ("flight", "flight_no", "BENCH-FLIGHT"),
)


def bench_order(day: date | None = None, **changes: Any) -> Json:
    """A trip on stock that never runs out."""
    body = order(day, **({"points": {"redeem": 50}} | changes))
    for part, field, name in BENCH:
        if part in body:
            body[part][field] = name
    return body


class TripEvent(NamedTuple):
    """An event of a trip's stream."""

    id: str
    trip: Json


class Traveller:
    """Calls to one system's front door, with a token, and to its partners."""

    def __init__(
        self, http: aiohttp.ClientSession, api: str, partners: Mapping[str, str], token: str
    ) -> None:
        self._http = http
        self._api = api
        self._partners = partners
        self._authorization = {"Authorization": f"Bearer {token}"}

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """A call to the front door: its status and its JSON."""
        options["headers"] = self._authorization | dict(headers or {})
        async with self._http.request(method, self._api + path, **options) as answer:
            return answer.status, await answer.json(content_type=None)

    async def book(self, body: Json, wait: int = 0, key: str | None = None) -> Json:
        """Book a trip, which must be accepted."""
        headers = {"Prefer": f"wait={wait}"} | ({"Idempotency-Key": key} if key else {})
        status, trip = await self.call("POST", "/trips", json=body, headers=headers)
        assert status in (200, 202), trip
        return dict(trip)

    async def trip(self, trip_id: str) -> Json:
        """The trip as it stands."""
        status, trip = await self.call("GET", f"/trips/{trip_id}")
        assert status == 200, trip
        return dict(trip)

    async def events(self, trip_id: str, after: str | None = None) -> AsyncGenerator[TripEvent, None]:
        """The trip's events, after the one of an id; ends where the stream does."""
        headers = self._authorization | ({} if after is None else {"Last-Event-ID": after})
        async with self._http.get(f"{self._api}/trips/{trip_id}/events", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "text/event-stream"
            fields: dict[str, str] = {}
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif fields.get("event") == "trip":
                    yield TripEvent(fields["id"], json.loads(fields["data"]))
                    fields = {}

    async def until(self, trip_id: str, *statuses: str) -> Json:
        """The trip once it has one of the statuses, or a final one where none is named."""
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            while True:
                trip = await self.trip(trip_id)
                if trip["status"] in (statuses or FINAL):
                    return trip
                await asyncio.sleep(LOOK_EVERY_S)

    async def reservation(self, partner: str, key: str) -> Json | None:
        """What the partner knows under the key."""
        async with self._http.get(f"{self._partners[partner]}/reservations/{key}") as answer:
            return None if answer.status == 404 else dict(await answer.json())

    async def read(self, partner: str, path: str) -> Any:
        """A partner's own view."""
        async with self._http.get(self._partners[partner] + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def break_partner(self, partner: str, **faults: Any) -> None:
        """Set the partner's faults in the lab."""
        async with self._http.put(f"{self._partners[partner]}/lab/faults", json=faults) as answer:
            assert answer.status in (200, 204), await answer.text()

    async def mend_partner(self, partner: str) -> None:
        """No more faults."""
        async with self._http.delete(f"{self._partners[partner]}/lab/faults") as answer:
            assert answer.status in (200, 204), await answer.text()

    async def override_breaker(self, partner: str, override: str | None) -> None:
        """Hold a breaker open or closed, or let it decide again."""
        body = {"override": override, "reason": "a test"}
        status, answer = await self.call("PUT", f"/breakers/{partner}", json=body)
        assert status == 200, answer

    async def calls(self, partner: str, key: str) -> list[Json]:
        """The calls that the partner received for the key."""
        answer = await self.read(partner, f"/lab/calls?key={key}")
        return list(answer["items"])
