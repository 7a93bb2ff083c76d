"""The same saga on DBOS: a workflow with a step a call, kept in the same PostgreSQL; it has no breaker.

`POST /trips/{key}` books and answers how the trip ended, once it has.
"""

import asyncio
import os
from collections.abc import Awaitable
from functools import lru_cache

from aiohttp import web
from dbos import DBOS, DBOSConfig, SetWorkflowID

from activities.http import open_session
from config.settings import settings
from stack.runner import stop_event
from trials.bench.contest.calls import Refused, call_partner
from trials.orders import PARTNERS, STAYS, Json, hold
from trip.partner import Partner

_UNLIMITED = 1_000_000

_http = lru_cache(maxsize=1)(open_session)


def _url(partner: str) -> str:
    return settings().partner_url(Partner(partner))


def _may_pass(error: BaseException) -> bool:
    return not isinstance(error, Refused)


@DBOS.step(
    retries_allowed=True,
    interval_seconds=settings().retry_base_s,
    max_attempts=settings().retry_attempts,
    should_retry=_may_pass,
)
async def call(verb: str, partner: str, key: str, sent: Json | None = None) -> int:
    """A hold or a confirmation; the reservation's price in minor units."""
    return await call_partner(_http(), _url(partner), verb, key, sent)


@DBOS.step(retries_allowed=True, interval_seconds=settings().retry_base_s, max_attempts=_UNLIMITED)
async def release(partner: str, key: str) -> None:
    """Undo one call."""
    await call_partner(_http(), _url(partner), "release", key)


@DBOS.workflow()
async def book(key: str, order: Json) -> str:
    """`confirmed`, or `failed` with everything undone."""
    try:
        await _hold_all(key, order)
        await call("confirm", "payment", key)
        await _together(*(call("confirm", partner, key) for partner in PARTNERS if partner != "payment"))
    except Exception:  # a refusal, or retries used up, which DBOS raises as its own
        for partner in reversed(PARTNERS):
            await release(partner, key)
        return "failed"
    return "confirmed"


async def _hold_all(key: str, order: Json) -> None:
    due = sum(await _together(*(call("hold", partner, key, hold(order, partner, 0)) for partner in STAYS)))
    for partner in ("points", "payment"):
        due += await call("hold", partner, key, hold(order, partner, due))


async def _together(*steps: Awaitable[int]) -> list[int]:
    """All side by side. Each comes to its end, so that none is under way when the undo begins."""
    prices = []
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        prices.append(outcome)
    return prices


async def _answer(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    with SetWorkflowID(key):
        handle = await DBOS.start_workflow_async(book, key, await request.json())
    return web.json_response({"trip_id": key, "status": await handle.get_result()})


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def serve() -> None:
    """Serve until SIGTERM, tuned as DBOS is by default, which makes its database itself."""
    url, port = os.environ["PEER_DATABASE_URL"], int(os.environ["PEER_PORT"])
    DBOS(config=DBOSConfig(name="contest", system_database_url=url, log_level="WARNING"))
    DBOS.launch()
    app = web.Application()
    app.add_routes([web.post("/trips/{key}", _answer), web.get("/healthz", _healthy)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await stop_event().wait()
    finally:
        await runner.cleanup()
        await _http().close()
        DBOS.destroy()
