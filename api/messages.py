"""What was told of one choreographed trip, and the messages that a listener gave up."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from api.authentication import ANY_CALL, CurrentCaller, authenticated
from api.coordination import CoordinatorAway
from api.door import Door, OpenDoor
from api.lists import LIST_SHARE, TOO_MANY
from api.tokens.caller import Scope
from api.trips import unknown_trip
from choreography import dead
from choreography.broker import Broker
from choreography.dead import DeadLetter
from choreography.messages import read_back
from choreography.protocol import heard_by
from record import choreographed as record
from serving.fields import Identifier
from serving.paging import Page, page
from serving.problems import documented, problem
from serving.queries import Limit

router = authenticated(Scope.TRAVELLER, prefix="/trips", tags=["trips"])
letters = authenticated(Scope.FLEET, prefix="/dead-letters", tags=["dead letters"])

_Cursor = Annotated[
    str | None, Query(pattern=record.CURSOR, description="the next_cursor of the page before")
]
_AWAY = {"broker_unavailable": 503, **ANY_CALL}


class TripMessage(BaseModel):
    """A message of a trip. `at` is by the clock of its source; `body` is a CloudEvent.

    What the order asks of partners is left out of the body. `heard_by` are those whom the message concerns:
    partners, and `trips`, who keeps the trip's row. It is null if this version does not know the message.
    """

    message_id: str
    subject: str
    source: str
    at: datetime
    heard_at: datetime
    heard_by: list[str] | None
    body: dict[str, Any]


@router.get(
    "/{trip_id}/messages",
    dependencies=[LIST_SHARE],
    response_model=Page[TripMessage],
    responses=documented(422, unknown_trip=404, **TOO_MANY),
)
async def list_messages(
    door: OpenDoor, caller: CurrentCaller, trip_id: Identifier, limit: Limit = 50, cursor: _Cursor = None
) -> Page[dict[str, Any]] | Response:
    """What partners and the trip's row told one another, in the order in which it was heard.

    A trip that a workflow carries has none.
    """
    found = await record.messages(door.pool, trip_id, caller.tenant, limit, cursor)
    if found is None:
        return unknown_trip()
    items = [message | {"heard_by": _heard_by(message["body"])} for message in found.items]
    return Page(items=items, next_cursor=found.next_cursor)


def _heard_by(body: dict[str, Any]) -> list[str] | None:
    try:
        return heard_by(read_back(body))
    except ValueError:
        return None


@letters.get("", responses=documented(422, **_AWAY))
async def list_dead_letters(door: OpenDoor, limit: Limit = 50, cursor: _Cursor = None) -> Page[DeadLetter]:
    """The messages that listeners gave up, oldest first, and why."""
    found = await dead.dead_letters(_broker(door), int(cursor or 0), limit + 1)
    return page(found, limit, lambda letter: [str(letter.sequence)], write="".join)


@letters.post(
    "/{sequence}/replay",
    status_code=202,
    response_model=DeadLetter,
    responses=documented(422, unknown_letter=404, **_AWAY),
)
async def replay_dead_letter(
    door: OpenDoor, sequence: Annotated[int, Path(ge=1, le=10**18)]
) -> DeadLetter | JSONResponse:
    """Have the message heard again by all its listeners. The letter goes."""
    letter = await dead.replay(_broker(door), sequence)
    return letter or problem(404, "unknown_letter", "there is no such dead letter; it may have been replayed")


def _broker(door: Door) -> Broker:
    if door.broker is None:
        raise CoordinatorAway("broker_unavailable", "this front door has no broker; set NATS_URL")
    return door.broker
