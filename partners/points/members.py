"""The points partner's audit view: its members."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse

from partners.points.store import MemberPoints, PointsStore
from serving.fields import Identifier
from serving.paging import Page, page, read_cursor
from serving.problems import documented, problem
from serving.queries import Cursor, Limit
from serving.routes import StrictRoute


def members_view(store: PointsStore) -> APIRouter:
    """What the points partner serves for the audit."""
    router = APIRouter(route_class=StrictRoute)

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
