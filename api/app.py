"""The front door's application."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from api import (
    acts,
    asyncapi,
    attempts,
    breakers,
    choreography,
    codec,
    console,
    erasures,
    events,
    health,
    lab,
    lists,
    me,
    messages,
    metrics,
    trips,
)
from api.act_log import ActLog
from api.changes import Changes
from api.coordination import Coordinator, CoordinatorAway
from api.door import Door
from api.erasures import forgetting
from api.feeds import Feeds
from api.retention import sweeping
from api.shares import Shares
from api.starter import Starter
from api.temporal import Temporal, lazy_client
from api.tokens.keys import KeysAway
from api.tokens.rates import Rates
from api.tokens.verify import verifying
from choreography.broker import BrokerAway
from config.clients import open_clients
from config.settings import Settings
from record.pool import RecordAway, open_pool
from serving.docs import docs_router
from serving.garbage import collect_less_often
from serving.problems import add_handlers, unavailable
from temporal.watch import Watch
from trip.order import Coordination

log = logging.getLogger(__name__)

_ROUTERS = (
    trips.router,
    trips.operators,
    events.router,
    attempts.router,
    messages.router,
    messages.letters,
    breakers.router,
    lab.router,
    codec.router,
    erasures.router,
    acts.router,
    console.router,
    me.router,
    health.router,
    health.inside,
    metrics.router,
    asyncapi.router,
)


@asynccontextmanager
async def opened(settings: Settings, stopping: asyncio.Event) -> AsyncIterator[Door]:
    """The front door with its connections. It opens even if nothing answers yet."""
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            open_pool(
                settings.database_url, settings.connections(usual=20), through_pooler=settings.is_pooled
            )
        )
        http = await resources.enter_async_context(aiohttp.ClientSession())
        partners = await resources.enter_async_context(open_clients(settings.upstreams()))
        client = await lazy_client(settings.codec())
        coordinators: dict[Coordination, Coordinator] = {"orchestration": Temporal(client)}
        broker = None
        if settings.has_broker:
            choreographed = await resources.enter_async_context(choreography.opened(settings, pool))
            coordinators["choreography"], broker = choreographed, choreographed.broker
        tokens = await resources.enter_async_context(verifying(settings, pool, http))
        act_log = ActLog(pool)
        await resources.enter_async_context(act_log.writing())
        watch = Watch(client)
        await resources.enter_async_context(watch.looking())
        changes = Changes(settings.listening_url, stopping)
        feeds = Feeds(pool, stopping, settings.root_path)
        changes.tell(feeds.look_at)
        starters = {
            kind: Starter(kind, coordinator, pool, settings.backlog)
            for kind, coordinator in coordinators.items()
        }
        await resources.enter_async_context(changes.listening())
        await resources.enter_async_context(feeds.reading())
        forget = forgetting(coordinators["orchestration"], partners)
        await resources.enter_async_context(sweeping(pool, settings.keep(), forget))
        for starter in starters.values():
            await resources.enter_async_context(starter.draining())
        yield Door(
            settings=settings,
            stopping=stopping,
            tokens=tokens,
            acts=act_log,
            rates=Rates(settings.requests_per_minute),
            temporal_ui=f"{settings.temporal_ui_url}/namespaces/{client.namespace}",
            pool=pool,
            partners=partners,
            codec=settings.codec(),
            changes=changes,
            broker=broker,
            coordinators=coordinators,
            starters=starters,
            waits=Shares(settings.waits),
            feeds=feeds,
            streams=Shares(settings.streams),
            lists=Shares(lists.MOST),
            watch=watch,
        )


def create_app(settings: Settings, stopping: asyncio.Event) -> FastAPI:
    """The application. When `stopping` is set, its event streams and waits end; their readers come back."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, stopping) as door:
            app.state.door = door
            app.state.looks = health.Looks(door)
            app.state.figures = metrics.shared(door)
            collect_less_often()
            yield

    app = FastAPI(
        title="Trip booking saga",
        version="1",
        lifespan=lifespan,
        redirect_slashes=False,
        # Its own spans have queries and addresses of callers; serving/tracing.py has neither.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    add_handlers(app)
    app.add_exception_handler(RecordAway, _record_away)
    app.add_exception_handler(CoordinatorAway, _coordinator_away)
    app.add_exception_handler(BrokerAway, _broker_away)
    app.add_exception_handler(KeysAway, _keys_away)
    app.add_exception_handler(events.TooManyStreams, events.refuse_stream)
    app.add_exception_handler(lists.TooManyLists, lists.refuse_list)
    app.add_exception_handler(lab.LabOff, lab.lab_off)
    app.add_exception_handler(lab.LabAway, lab.lab_away)
    app.add_exception_handler(codec.CodecOff, codec.codec_off)
    for part in (*_ROUTERS, docs_router()):
        app.include_router(part)
    return app


async def _record_away(_request: Request, error: Exception) -> JSONResponse:
    log.warning("the record is away: %s", error)
    return unavailable("record_unavailable", "the trips' record does not answer; try again")


async def _coordinator_away(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CoordinatorAway)
    log.warning("the coordinator is away: %s", error.__cause__ or error)
    return unavailable(error.code, str(error))


async def _broker_away(_request: Request, error: Exception) -> JSONResponse:
    log.warning("the broker is away: %s", error)
    return unavailable("broker_unavailable", "no answer from the broker; try again")


async def _keys_away(_request: Request, _error: Exception) -> JSONResponse:
    return unavailable("keys_unavailable", "the keys that tokens are signed with cannot be had; try again")
