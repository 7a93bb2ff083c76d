"""Opens the points partner's store, with its audit view."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse

from partners.points.graph import connected, prepare
from partners.points.store import MemberPoints, PointsStore
from partners.redis import CALL_TIMEOUT_S
from serving.fields import Identifier
from serving.paging import Cursor, Limit, Page, page, read_cursor
from serving.problems import documented, problem


def _audit(store: PointsStore) -> APIRouter:
    router = APIRouter()

    @router.get("/members", responses=documented(401, 422, 503))
    async def members(limit: Limit = 50, cursor: Cursor = None) -> Page[MemberPoints]:
        """All members in the order of their ids."""
        after = read_cursor(cursor, parts=1)
        found = await store.members(limit + 1, after[0] if after else None)
        return page(found, limit, lambda member: [member.member_id])

    @router.get("/members/{member_id}", response_model=MemberPoints, responses=documented(401, 404, 422, 503))
    async def member(member_id: Annotated[Identifier, Path()]) -> MemberPoints | JSONResponse:
        """A member's points: `balance` is all of them, `held` the part of it that open holds have."""
        found = await store.member(member_id)
        return found or problem(404, "unknown_member", "no member has this id")

    return router


@asynccontextmanager
async def open_points(engine_url: str, hold_s: float) -> AsyncIterator[tuple[PointsStore, APIRouter]]:
    """The store on the engine at `engine_url`, whose holds last `hold_s` seconds, and its audit view."""
    async with connected(engine_url) as graph:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await prepare(graph)
        store = PointsStore(graph, hold_s)
        yield store, _audit(store)
