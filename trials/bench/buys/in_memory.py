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
from activities.http import PartnerHttp, open_session
from api.prefer import wait_seconds
from config.settings import Settings, settings
from guard.view import Breakers
from record.pool import open_pool
from stack.runner import stop_event
from trials.bench.buys.figures import BETWEEN
from trials.bench.buys.memory_saga import MemorySaga
from trials.bench.contest import calls, plain
from trip.order import TripOrder
from trip.partner import Partner

Book = Callable[[str, TripOrder], Awaitable[str]]


def application(book: Book) -> web.Application:
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

    async def healthy(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    routes = [web.post("/trips", accept), web.get("/trips/{trip_id}", show), web.get("/healthz", healthy)]
    app.add_routes(routes)
    return app


async def _book_barely(http: ClientSession, config: Settings, key: str, order: TripOrder) -> str:
    """Ten calls; if one fails, the trip is left as it stands."""
    urls = {partner.value: config.partner_url(partner) for partner in Partner}
    try:
        await plain.book(http, urls, key, order.model_dump(mode="json"))
    except (calls.Refused, calls.Unanswered):
        return "failed"
    return "confirmed"


async def _carrying(carrier: str, config: Settings, resources: AsyncExitStack) -> Book:
    session = await resources.enter_async_context(open_session())
    if carrier == "bare":
        return partial(_book_barely, session, config)
    breakers = Breakers(config.database_url, config.breaker_policy(), list(Partner))
    await resources.enter_async_context(breakers)
    pool = await resources.enter_async_context(open_pool(config.database_url))
    probing = asyncio.create_task(_probe(HealthProbes(config, session, pool), config.probe_interval_s))
    resources.callback(probing.cancel)
    return MemorySaga(PartnerHttp(session, config), breakers, config).book


async def _probe(probes: HealthProbes, interval_s: float) -> None:
    while True:
        await asyncio.gather(*(probes.probe_partner(partner) for partner in Partner))
        await asyncio.sleep(interval_s)


async def serve(carrier: str) -> None:
    """Serve until SIGTERM; a trip that is under way then is lost."""
    stop, config = stop_event(), settings()
    async with AsyncExitStack() as resources:
        app = application(await _carrying(carrier, config, resources))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        resources.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, config.host, config.api_port).start()
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
