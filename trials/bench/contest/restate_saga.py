"""The same saga on Restate: a workflow with a durable step a call, kept in the server's own log; no breaker.

The server has the front door: `POST /restate/call/Trip/{key}/book` answers how the trip ended once it has.
"""

import asyncio
import os
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import cast

import hypercorn.asyncio
import restate
from hypercorn import Config
from restate.server import install_shutdown_hook

from config.settings import settings
from stack.ports import LOOPBACK
from trials.bench.contest import plain
from trials.bench.contest.calls import Refused, call_partner, open_session
from trials.orders import PARTNERS, Json
from trip.partner import Partner

REGISTERED_WITHIN_S = 30.0
_RELEASE = restate.RunOptions[int](
    initial_retry_interval=timedelta(seconds=settings().retry_base_s),
    max_retry_interval=timedelta(seconds=settings().retry_cap_s),
    retry_interval_factor=2.0,
)
"""Without end."""
_CALL = replace(_RELEASE, max_attempts=settings().retry_attempts)

_http = lru_cache(maxsize=1)(open_session)

trip = restate.Workflow("Trip")


async def _call(verb: str, partner: str, key: str, sent: Json | None) -> int:
    return await call_partner(_http(), settings().partner_url(Partner(partner)), verb, key, sent)


async def _call_or_give_up(verb: str, partner: str, key: str, sent: Json | None) -> int:
    try:
        return await _call(verb, partner, key, sent)
    except Refused as refused:
        raise restate.TerminalError(str(refused)) from refused


async def _together(steps: Iterable[Awaitable[int]]) -> list[int]:
    """All side by side. Each comes to its end, so that none is under way when an undo begins."""
    futures = cast("list[restate.RestateDurableFuture[int]]", list(steps))
    await restate.gather(*futures)
    return [await future for future in futures]


@trip.main()
async def book(context: restate.WorkflowContext, order: Json) -> Json:
    """`confirmed`, or `failed` with everything undone."""
    key = context.key()

    def in_a_step(verb: str, partner: str, sent: Json | None) -> Awaitable[int]:
        return context.run_typed(f"{verb} {partner}", _call_or_give_up, _CALL, verb, partner, key, sent)

    try:
        await plain.book(in_a_step, order, _together)
    except restate.TerminalError:  # a refusal, or retries used up
        for partner in reversed(PARTNERS):
            await context.run_typed(f"release {partner}", _call, _RELEASE, "release", partner, key, None)
        return {"trip_id": key, "status": "failed"}
    return {"trip_id": key, "status": "confirmed"}


async def serve() -> None:
    """Serve until SIGTERM, as Restate's documentation has it for production."""
    port, stop = int(os.environ["PEER_PORT"]), asyncio.Event()
    # The library takes the signal for itself, and passes it on to its hooks.
    install_shutdown_hook(asyncio.get_running_loop(), stop.set)
    config = Config()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.h2_max_concurrent_streams = config.keep_alive_max_requests = 2**31 - 1
    config.keep_alive_timeout = 2**31 - 1
    async with asyncio.TaskGroup() as group:
        group.create_task(hypercorn.asyncio.serve(restate.app([trip]), config, shutdown_trigger=stop.wait))
        group.create_task(_register(f"http://{LOOPBACK}:{port}"))
    await _http().close()


async def _register(url: str) -> None:
    """Tell the server where the workflow is. It asks there at once, so its first answers may be errors."""
    admin = os.environ["RESTATE_ADMIN_URL"]
    async with asyncio.timeout(REGISTERED_WITHIN_S):
        while True:
            async with _http().post(f"{admin}/deployments", json={"uri": url, "force": True}) as answer:
                if answer.ok:
                    return
            await asyncio.sleep(0.1)
