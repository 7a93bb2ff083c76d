"""The front door's application."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from api import attempts, breakers, console, events, health, lab, me, metrics, trips
from api.changes import Changes
from api.coordination import CoordinatorAway
from api.door import Door, Places
from api.feeds import Feeds
from api.starter import Starter
from api.temporal import Temporal, lazy_client
from api.tokens.keys import KeysAway
from api.tokens.rates import Rates
from api.tokens.verify import verifier
from config.clients import open_clients
from config.settings import Settings
from record.pool import RecordAway, open_pool
from serving.garbage import collect_less_often
from serving.problems import add_handlers, unavailable

log = logging.getLogger(__name__)

_ROUTERS = (
    trips.router,
    trips.operators,
    events.router,
    attempts.router,
    breakers.router,
    lab.router,
    console.router,
    me.router,
    health.router,
    metrics.router,
)


@asynccontextmanager
async def opened(settings: Settings, stopping: asyncio.Event) -> AsyncIterator[Door]:
    """The front door with its connections. It opens even if nothing answers yet."""
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            open_pool(settings.database_url, size=20, through_pooler=settings.is_pooled)
        )
        http = await resources.enter_async_context(aiohttp.ClientSession())
        partners = await resources.enter_async_context(open_clients(settings.upstreams()))
        client = await lazy_client()
        coordinator = Temporal(client)
        changes = Changes(settings.listening_url, stopping)
        feeds = Feeds(pool, stopping)
        changes.tell(feeds.look_at)
        starter = Starter(coordinator, pool, settings.backlog)
        await resources.enter_async_context(changes.listening())
        await resources.enter_async_context(feeds.reading())
        await resources.enter_async_context(starter.draining())
        yield Door(
            settings=settings,
            stopping=stopping,
            verify=verifier(settings, pool, http),
            rates=Rates(settings.requests_per_minute),
            temporal_ui=f"{settings.temporal_ui_url}/namespaces/{client.namespace}",
            pool=pool,
            partners=partners,
            changes=changes,
            coordinator=coordinator,
            starter=starter,
            waits=Places(settings.waits),
            feeds=feeds,
            streams=Places(settings.streams),
        )


def create_app(settings: Settings, stopping: asyncio.Event) -> FastAPI:
    """The application. When `stopping` is set, its event streams and waits end; their readers come back."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, stopping) as door:
            app.state.door = door
            collect_less_often()
            yield

    app = FastAPI(
        title="Trip booking saga",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    add_handlers(app)
    app.add_exception_handler(RecordAway, _record_away)
    app.add_exception_handler(CoordinatorAway, _coordinator_away)
    app.add_exception_handler(KeysAway, _keys_away)
    app.add_exception_handler(events.TooManyStreams, events.refuse_stream)
    app.add_exception_handler(lab.LabOff, lab.lab_off)
    app.add_exception_handler(lab.LabAway, lab.lab_away)
    for part in _ROUTERS:
        app.include_router(part)
    return app


async def _record_away(_request: Request, error: Exception) -> JSONResponse:
    log.warning("the record is away: %s", error)
    return unavailable("record_unavailable", "the trips' record does not answer; try again")


async def _coordinator_away(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CoordinatorAway)
    log.warning("the coordinator is away: %s", error.__cause__ or error)
    return unavailable(error.code, str(error))


async def _keys_away(_request: Request, _error: Exception) -> JSONResponse:
    return unavailable("keys_unavailable", "the keys that tokens are signed with cannot be had; try again")
