"""A traveller's and a lab technician's calls over HTTP."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp

from trials.orders import Json, bench_order
from trials.polling import until
from trip.trip import FINAL_STATUSES

FINAL = {status.value for status in FINAL_STATUSES}
SETTLE_TIMEOUT_S = 100.0
LOOK_EVERY_S = 0.05
WARM_UP_TRIPS = 5


class TripEvent(NamedTuple):
    id: str
    trip: Json


class Received(NamedTuple):
    """A call that a partner received, `at` in seconds since 1970; its outcome is None while it waits."""

    at: float
    verb: str
    key: str
    outcome: str | None


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


class Traveller:
    def __init__(
        self, http: aiohttp.ClientSession, api: str, partners: Mapping[str, str], token: str
    ) -> None:
        self.http = http
        self._api = api
        self._partners = partners
        self._authorization = {"Authorization": f"Bearer {token}"}

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """A call to the front door: its status and its JSON."""
        options["headers"] = self._authorization | dict(headers or {})
        async with self.http.request(method, self._api + path, **options) as answer:
            return answer.status, await answer.json(content_type=None)

    async def book(self, body: Json, wait: int = 0, key: str | None = None) -> Json:
        """Book a trip, which must be accepted."""
        headers = {"Prefer": f"wait={wait}"} | ({"Idempotency-Key": key} if key else {})
        status, trip = await self.call("POST", "/trips", json=body, headers=headers)
        assert status in (200, 202), trip
        return dict(trip)

    async def warm_up(self, trips: int = WARM_UP_TRIPS) -> None:
        """Book some trips, one after another, for warm connections and caches."""
        for _ in range(trips):
            await self.book(bench_order(), wait=30)

    async def trip(self, trip_id: str) -> Json:
        status, trip = await self.call("GET", f"/trips/{trip_id}")
        assert status == 200, trip
        return dict(trip)

    def stream(
        self, trip_id: str, after: str | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The answer to a request for the trip's events, from the one after the id `after`."""
        headers = self._authorization | ({} if after is None else {"Last-Event-ID": after})
        return self.http.get(f"{self._api}/trips/{trip_id}/events", headers=headers)

    async def events(self, trip_id: str, after: str | None = None) -> AsyncGenerator[TripEvent, None]:
        """The trip's events, from the one after the id `after`; ends when the stream does."""
        async with self.stream(trip_id, after) as answer:
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

    async def until(self, trip_id: str, *statuses: str, within_s: float = SETTLE_TIMEOUT_S) -> Json:
        """The trip once it has one of the statuses, or a final one if none is named."""

        async def reached() -> Json | None:
            trip = await self.trip(trip_id)
            return trip if trip["status"] in (statuses or FINAL) else None

        found = await until(reached, within_s)
        assert found is not None
        return found

    async def reservation(self, partner: str, key: str) -> Json | None:
        async with self.http.get(f"{self._partners[partner]}/reservations/{key}") as answer:
            return None if answer.status == 404 else dict(await answer.json())

    async def hold(self, partner: str, key: str, body: Json) -> tuple[int, Json]:
        """Hold something at the partner behind the trip's back: the answer's status and its JSON."""
        async with self.http.put(f"{self._partners[partner]}/reservations/{key}", json=body) as answer:
            return answer.status, await answer.json()

    async def release(self, partner: str, key: str) -> None:
        """Give back at the partner what it knows under the key, behind the trip's back."""
        async with self.http.delete(f"{self._partners[partner]}/reservations/{key}") as answer:
            assert answer.status == 200, await answer.text()

    async def read(self, partner: str, path: str) -> Any:
        async with self.http.get(self._partners[partner] + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def break_partner(self, partner: str, **faults: Any) -> None:
        async with self.http.put(f"{self._partners[partner]}/lab/faults", json=faults) as answer:
            assert answer.status in (200, 204), await answer.text()

    async def mend_partner(self, partner: str) -> None:
        async with self.http.delete(f"{self._partners[partner]}/lab/faults") as answer:
            assert answer.status in (200, 204), await answer.text()

    async def override_breaker(self, partner: str, override: str | None) -> None:
        body = {"override": override, "reason": "a test"}
        status, answer = await self.call("PUT", f"/breakers/{partner}", json=body)
        assert status == 200, answer

    async def calls(self, partner: str, key: str) -> list[Json]:
        answer = await self.read(partner, f"/lab/calls?key={key}")
        return list(answer["items"])

    async def received(self, partner: str) -> list[Received]:
        """Every call that the partner received, oldest first."""
        page = await self.read(partner, "/lab/calls?limit=100000")
        return [
            Received(seconds(one["at"]), one["verb"], one["key"], one["outcome"]) for one in page["items"]
        ]
