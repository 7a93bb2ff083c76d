"""The attempts of one trip's calls that did not succeed."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from api.authentication import guarded
from api.caller import caller_of
from api.door import door_of
from api.tokens.caller import Scope
from api.trips import unknown_trip
from record import attempts as record
from record import cursors
from serving.fields import Identifier
from serving.paging import Limit, Page
from serving.problems import documented
from trip.attempts import FailedAttempt

router = guarded(Scope.TRAVELLER, prefix="/trips", tags=["trips"])

_Cursor = Annotated[
    str | None, Query(pattern=cursors.OF_NUMBERED, description="the next_cursor of the page before")
]


@router.get(
    "/{trip_id}/attempts", response_model=Page[FailedAttempt], responses=documented(422, unknown_trip=404)
)
async def list_attempts(
    request: Request, trip_id: Identifier, limit: Limit = 50, cursor: _Cursor = None
) -> Page[FailedAttempt] | Response:
    """What did not succeed at its first attempt, oldest first: when, why, and when the next is due."""
    page = await record.page(door_of(request).pool, trip_id, caller_of(request).tenant, limit, cursor)
    return unknown_trip() if page is None else page
