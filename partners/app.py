"""The HTTP side of a partner: the reservations of any store, its health and its audit view."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Response
from pydantic import BaseModel

from partners.declaration import B
from partners.problems import add_handlers
from partners.service import PartnerService, S
from partners.store import Reservation, Status, Store
from serving.beside import beside
from serving.docs import docs_router
from serving.fields import Identifier
from serving.paging import Page, page, read_cursor
from serving.problems import documented
from serving.queries import Cursor, Limit
from serving.routes import StrictRoute

log = logging.getLogger(__name__)

SWEEP_INTERVAL_S = 1.0

Key = Annotated[Identifier, Path(description="chosen by the caller; makes every call safe to repeat")]


class Health(BaseModel):
    """The partner and its engine answer."""

    status: Literal["ok"] = "ok"


def _writes(store: Store[B], body_type: type[B]) -> APIRouter:
    router = APIRouter(route_class=StrictRoute, prefix="/reservations", tags=["reservations"])

    async def hold(key: Key, body: B, response: Response) -> Reservation:
        """Hold what the body asks for: 201 new, 200 the same again."""
        reservation, new = await store.hold(key, body)
        response.status_code = 201 if new else 200
        return reservation

    # FastAPI reads the annotation to learn what the body is; each partner has its own.
    hold.__annotations__["body"] = body_type
    router.put(
        "/{key}",
        status_code=201,
        responses={
            200: {"model": Reservation},
            **documented(401, 409, 413, 415, 422, 503, broken_json=422, different_body=422),
        },
    )(hold)

    @router.post("/{key}/confirm", responses=documented(401, 404, 409, 422, 503))
    async def confirm(key: Key) -> Reservation:
        """Make the hold final, however often."""
        return await store.confirm(key)

    @router.delete("/{key}", responses=documented(401, 422, 503))
    async def release(key: Key) -> Reservation:
        """Give back what the key holds or has confirmed, however often; a key never seen is closed."""
        return await store.release(key)

    @router.post("/{key}/erase", status_code=204, responses=documented(401, 422, 503))
    async def erase(key: Key) -> None:
        """Take whom it is for out of a reservation that is settled, however often. What was booked stays."""
        await store.erase(key)

    return router


def _reads(store: Store[Any]) -> APIRouter:
    router = APIRouter(route_class=StrictRoute, prefix="/reservations", tags=["reservations"])

    @router.get("", responses=documented(401, 422, 503))
    async def reservations(
        status: Annotated[Status | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        after: Annotated[Identifier | None, Query(description="begin after this key")] = None,
    ) -> Page[Reservation]:
        """All reservations in the order of their keys."""
        position = read_cursor(cursor, parts=1)
        found = await store.list(status, limit + 1, position[0] if position else after)
        return page(found, limit, lambda reservation: [reservation.key])

    @router.get("/{key}", responses=documented(401, 404, 422, 503))
    async def reservation(key: Key) -> Reservation:
        """One reservation."""
        return await store.get(key)

    return router


async def _sweep(store: Store[Any], away: tuple[type[Exception], ...]) -> None:
    while True:
        try:
            expired = await store.expire_due()
        except away as error:
            log.warning("sweep of expired holds failed, trying again: %s: %s", type(error).__name__, error)
        except Exception:
            log.exception("sweep of expired holds failed, trying again")
        else:
            if expired:
                log.info("%d holds expired", expired)
        await asyncio.sleep(SWEEP_INTERVAL_S)


def create_app(service: PartnerService[S], store: S) -> FastAPI:
    """The partner's application; while it runs, holds that have expired are given back every second."""

    @asynccontextmanager
    async def sweeping(_app: FastAPI) -> AsyncIterator[None]:
        async with beside(_sweep(store, service.away)):
            yield

    app = FastAPI(
        title=service.declaration.title,
        version="1",
        lifespan=sweeping,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    add_handlers(app, service.away)
    app.include_router(docs_router())

    @app.get("/healthz", tags=["health"], responses=documented(503))
    async def healthz() -> Health:
        """200 if the partner's engine answers too."""
        await store.ping()
        return Health()

    app.include_router(_reads(store))
    app.include_router(_writes(store, service.declaration.body))
    app.include_router(service.audit(store), tags=["audit"])
    return app
