"""`python -m trials.bench.buys.in_memory memory|bare`: a front door and its trips, in one process.

`POST /trips` with `Idempotency-Key` and `Prefer: wait`, and `GET /trips/{trip_id}`, as the system has them. A
trip's id is its key, or without one fresh: its traveller's name and something random.
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
from activities.http import PartnerHttp, open_session
from api.prefer import wait_seconds
from config.settings import Settings, settings
from guard.view import Breakers
from record.pool import open_pool
from stack.runner import stop_event
from trials.bench.buys.memory_saga import CONFIRMED, FAILED, MemorySaga
from trials.bench.buys.variants import Carrier
from trials.bench.buys.verdict import BETWEEN
from trials.bench.contest import calls, plain
from trip.order import TripOrder
from trip.partner import Partner

MOST_TRIPS = 10_000
BOOKING = "booking"

Book = Callable[[str, TripOrder], Awaitable[str]]


class FrontDoor:
    """Trips by id, for as long as the process lives."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._trips: dict[str, asyncio.Task[str]] = {}

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application()
        routes = [
            web.post("/trips", self._accept),
            web.get("/trips/{trip_id}", self._show),
            web.get("/healthz", _healthy),
        ]
        app.add_routes(routes)
        return app

    async def _accept(self, request: web.Request) -> web.Response:
        order = TripOrder.model_validate_json(await request.read())
        fresh = f"{order.traveller.name}{BETWEEN}{uuid4().hex}"
        trip_id = request.headers.get("Idempotency-Key", fresh)
        if trip_id not in self._trips:
            if len(self._trips) >= MOST_TRIPS:
                return web.json_response({"code": "full"}, status=503)
            self._trips[trip_id] = asyncio.ensure_future(self._book(trip_id, order))
        wait_s = wait_seconds(request.headers.get("Prefer"))
        await asyncio.wait([self._trips[trip_id]], timeout=wait_s)
        return self._answer(trip_id)

    async def _show(self, request: web.Request) -> web.Response:
        trip_id = request.match_info["trip_id"]
        if trip_id not in self._trips:
            return web.json_response({"code": "not_found"}, status=404)
        return self._answer(trip_id)

    def _answer(self, trip_id: str) -> web.Response:
        trip = self._trips[trip_id]
        status = trip.result() if trip.done() else BOOKING
        return web.json_response({"trip_id": trip_id, "status": status}, status=200 if trip.done() else 202)


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _book_barely(http: ClientSession, config: Settings, key: str, order: TripOrder) -> str:
    """Ten calls; where one does not succeed, that is that."""
    urls = {partner.value: config.partner_url(partner) for partner in Partner}
    try:
        await plain.book(http, urls, key, order.model_dump(mode="json"))
    except (calls.Refused, calls.Unanswered):
        return FAILED
    return CONFIRMED


async def _carrying(carrier: str, config: Settings, resources: AsyncExitStack) -> Book:
    session = await resources.enter_async_context(open_session())
    if carrier == Carrier.BARE:
        return partial(_book_barely, session, config)
    breakers = await resources.enter_async_context(
        Breakers(config.database_url, config.breaker_policy(), list(Partner))
    )
    pool = await resources.enter_async_context(open_pool(config.database_url))
    probing = asyncio.create_task(_probe(HealthProbes(config, session, pool), config.probe_interval_s))
    resources.callback(probing.cancel)
    return MemorySaga(PartnerHttp(session, config), breakers, config).book


async def _probe(probes: HealthProbes, interval_s: float) -> None:
    while True:
        await asyncio.gather(*(probes.probe_partner(partner) for partner in Partner))
        await asyncio.sleep(interval_s)


async def serve(carrier: str) -> None:
    """Serve until SIGTERM; what is under way then is lost."""
    stop, config = stop_event(), settings()
    async with AsyncExitStack() as resources:
        door = FrontDoor(await _carrying(carrier, config, resources))
        runner = web.AppRunner(door.application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        resources.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, config.host, config.api_port).start()
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
