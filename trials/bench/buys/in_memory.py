"""`python -m trials.bench.buys.in_memory memory|bare`: a front door and its trips, in one process.

`POST /trips` with `Idempotency-Key` and `Prefer: wait`, and `GET /trips/{trip_id}`, as the system has them. A
trip's id is its key. Without a key it is fresh: its traveller's name and something random.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from uuid import uuid4

import uvloop
from aiohttp import ClientSession, web

from activities.breakers import HealthProbes
from api.prefer import wait_seconds
from config.clients import open_clients
from config.settings import Settings, settings
from guard.view import Breakers
from record.pool import open_pool
from trials.bench.buys.figures import BETWEEN
from trials.bench.buys.memory_saga import MemorySaga
from trials.bench.contest import front, plain
from trials.bench.contest.calls import Refused, Unanswered, call_partner, open_session
from trials.orders import Json
from trip.order import TripOrder
from trip.partner import Partner

Book = Callable[[str, TripOrder], Awaitable[str]]


def routes(book: Book) -> list[web.RouteDef]:
    """Trips by id, for as long as the process lives."""
    trips: dict[str, asyncio.Task[str]] = {}

    async def accept(request: web.Request) -> web.Response:
        order = TripOrder.model_validate_json(await request.read())
        fresh = f"{order.traveller.name}{BETWEEN}{uuid4().hex}"
        trip_id = request.headers.get("Idempotency-Key", fresh)
        if trip_id not in trips:
            trips[trip_id] = asyncio.ensure_future(book(trip_id, order))
        await asyncio.wait([trips[trip_id]], timeout=wait_seconds(request.headers.get("Prefer")))
        return answer(trip_id)

    async def show(request: web.Request) -> web.Response:
        trip_id = request.match_info["trip_id"]
        return answer(trip_id) if trip_id in trips else web.json_response({"code": "not_found"}, status=404)

    def answer(trip_id: str) -> web.Response:
        trip = trips[trip_id]
        found = {"trip_id": trip_id, "status": trip.result() if trip.done() else "booking"}
        return web.json_response(found, status=200 if trip.done() else 202)

    return [web.post("/trips", accept), web.get("/trips/{trip_id}", show)]


async def _book_barely(http: ClientSession, config: Settings, key: str, order: TripOrder) -> str:
    """Ten calls; if one fails, the trip is left as it stands."""

    async def call(verb: str, partner: str, body: Json | None) -> int:
        return await call_partner(http, config.partner_url(Partner(partner)), verb, key, body)

    try:
        await plain.book(call, order.model_dump(mode="json"))
    except (Refused, Unanswered):
        return "failed"
    return "confirmed"


async def _probe(probes: HealthProbes, interval_s: float) -> None:
    while True:
        await asyncio.gather(*(probes.probe_partner(partner) for partner in Partner))
        await asyncio.sleep(interval_s)


async def serve(carrier: str) -> None:
    """Serve until SIGTERM; a trip that is under way then is lost."""
    config = settings()
    async with AsyncExitStack() as resources:
        http = await resources.enter_async_context(open_session())
        book: Book = partial(_book_barely, http, config)
        if carrier == "memory":
            breakers = Breakers(config.database_url, config.breaker_policy(), list(Partner))
            await resources.enter_async_context(breakers)
            pool = await resources.enter_async_context(open_pool(config.database_url))
            clients = await resources.enter_async_context(open_clients(config.upstreams()))
            probes = HealthProbes(config, clients, pool)
            probing = asyncio.create_task(_probe(probes, config.probe_interval_s))
            resources.callback(probing.cancel)
            book = MemorySaga(http, breakers, config).book
        await front.serve(routes(book), config.api_port)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
