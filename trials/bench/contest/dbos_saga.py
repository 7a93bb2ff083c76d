"""The same saga on DBOS: a workflow with a step a call, kept in the same PostgreSQL; it has no breaker.

`POST /trips/{key}` books, and answers how the trip ended once it has.
"""

import os
from functools import lru_cache

from aiohttp import web
from dbos import DBOS, DBOSConfig, SetWorkflowID

from config.settings import settings
from trials.bench.contest import front, plain
from trials.bench.contest.calls import Refused, call_partner, open_session
from trials.orders import PARTNERS, Json
from trip.partner import Partner

_UNLIMITED = 1_000_000

_http = lru_cache(maxsize=1)(open_session)


def _url(partner: str) -> str:
    return settings().partner_url(Partner(partner))


@DBOS.step(
    retries_allowed=True,
    interval_seconds=settings().retry_base_s,
    max_attempts=settings().retry_attempts,
    should_retry=lambda error: not isinstance(error, Refused),
)
async def call(verb: str, partner: str, key: str, sent: Json | None) -> int:
    """A hold or a confirmation; the reservation's price in minor units."""
    return await call_partner(_http(), _url(partner), verb, key, sent)


@DBOS.step(retries_allowed=True, interval_seconds=settings().retry_base_s, max_attempts=_UNLIMITED)
async def release(partner: str, key: str) -> None:
    await call_partner(_http(), _url(partner), "release", key)


@DBOS.workflow()
async def book(key: str, order: Json) -> str:
    """`confirmed`, or `failed` with everything undone."""

    async def in_a_step(verb: str, partner: str, sent: Json | None) -> int:
        return await call(verb, partner, key, sent)

    try:
        await plain.book(in_a_step, order)
    except Exception:  # a refusal, or retries used up, which DBOS raises as its own
        for partner in reversed(PARTNERS):
            await release(partner, key)
        return "failed"
    return "confirmed"


async def _answer(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    with SetWorkflowID(key):
        handle = await DBOS.start_workflow_async(book, key, await request.json())
    return web.json_response({"trip_id": key, "status": await handle.get_result()})


async def serve() -> None:
    """Serve until SIGTERM, tuned as DBOS is by default, which makes its database itself."""
    url = os.environ["PEER_DATABASE_URL"]
    DBOS(config=DBOSConfig(name="contest", system_database_url=url, log_level="WARNING"))
    DBOS.launch()
    try:
        await front.serve([web.post("/trips/{key}", _answer)], int(os.environ["PEER_PORT"]))
    finally:
        await _http().close()
        DBOS.destroy()
