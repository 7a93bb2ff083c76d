"""The failed attempts of one trip's calls."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from api.authentication import CurrentCaller, authenticated
from api.door import OpenDoor
from api.lists import LIST_SHARE, TOO_MANY
from api.tokens.caller import Scope
from api.trips import unknown_trip
from record import attempts as record
from record import cursors
from serving.fields import Identifier
from serving.paging import Page
from serving.problems import documented
from serving.queries import Limit
from trip.attempts import FailedAttempt

router = authenticated(Scope.TRAVELLER, prefix="/trips", tags=["trips"])

_Cursor = Annotated[
    str | None, Query(pattern=cursors.OF_NUMBERED, description="the next_cursor of the page before")
]


@router.get(
    "/{trip_id}/attempts",
    dependencies=[LIST_SHARE],
    response_model=Page[FailedAttempt],
    responses=documented(422, unknown_trip=404, **TOO_MANY),
)
async def list_attempts(
    door: OpenDoor, caller: CurrentCaller, trip_id: Identifier, limit: Limit = 50, cursor: _Cursor = None
) -> Page[FailedAttempt] | Response:
    """The attempts that did not succeed, oldest first: when, why, and when the next is due."""
    page = await record.page(door.pool, trip_id, caller.tenant, limit, cursor)
    return unknown_trip() if page is None else page
