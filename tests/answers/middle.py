"""Stands between the saga and the bundled partners, and twists what they answer for single trips."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from stack.parts import Part
from tests.answers.ground import VERBS, serving
from tests.answers.twists import Sent, Twist
from tests.patience import PATIENCE_S
from trials.world import Ground, Stage, fresh_ground
from trip.partner import Partner, Verb

Call = tuple[str, Verb]
"""A partner and what is asked of it."""

SETTINGS = {
    "TRIPS_RETRY_BASE_S": "0.05",
    "TRIPS_RETRY_CAP_S": "0.3",
    "TRIPS_RETRY_ATTEMPTS": "3",
    # The twisted answers of one trip open no breaker for the others.
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "10000",
    "TRIPS_PROBE_INTERVAL_S": "3600",
}


@dataclass
class Middle:
    """`told` has the twists of each trip by its id. A call waits until the test has told them."""

    http: aiohttp.ClientSession
    honest: Mapping[str, str] = field(default_factory=dict)
    told: dict[str, asyncio.Future[Mapping[Call, Twist]]] = field(default_factory=dict)
    calls: list[tuple[str, str, Verb]] = field(default_factory=list)
    hangs_s: dict[str, float] = field(default_factory=dict)

    def tell(self, trip_id: str, twists: Mapping[Call, Twist]) -> None:
        """From now on the trip meets these twists."""
        waited_for = self.told.get(trip_id)
        if waited_for is None or waited_for.done():
            self.told[trip_id] = waited_for = asyncio.get_running_loop().create_future()
        waited_for.set_result(twists)

    async def handle(self, partner: str, request: web.Request) -> web.Response:
        sent = await self._passed_on(partner, request)
        verb = VERBS.get(request.method)
        if verb is not None and request.path.startswith("/reservations/"):
            key = request.path.split("/")[2]
            self.calls.append((key, partner, verb))
            twist = (await self._twists(key)).get((partner, verb))
            await asyncio.sleep(self.hangs_s.get(partner, 0))
            sent = twist(sent) if twist else sent
        return web.Response(status=sent.status, body=sent.body, headers=sent.headers)

    async def _twists(self, key: str) -> Mapping[Call, Twist]:
        if key not in self.told:
            self.told[key] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.shield(self.told[key])

    async def _passed_on(self, partner: str, request: web.Request) -> Sent:
        headers = {"Content-Type": "application/json"}
        async with self.http.request(
            request.method, self.honest[partner] + request.path_qs, data=await request.read(), headers=headers
        ) as answer:
            return Sent(answer.status, await answer.read(), headers)


@asynccontextmanager
async def opened_middle() -> AsyncIterator[tuple[Ground, Middle]]:
    """A system whose saga reaches its partners through a middle."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        middle = Middle(http)

        def note_partners(stage: Stage, parts: list[Part]) -> list[Part]:
            middle.honest = {partner.value: stage.url(stage.ports.partner(partner)) for partner in Partner}
            return parts

        urls = {}
        for partner in Partner:

            async def handle(request: web.Request, partner: str = partner.value) -> web.Response:
                return await middle.handle(partner, request)

            port = await stack.enter_async_context(serving(handle))
            urls[f"TRIPS_{partner.upper()}_URL"] = f"http://127.0.0.1:{port}"
        ground = await stack.enter_async_context(fresh_ground(SETTINGS | urls, arrange=note_partners))
        yield ground, middle
