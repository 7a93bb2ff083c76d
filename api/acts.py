"""Who did or tried what."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from api.authentication import CurrentCaller, authenticated
from api.door import OpenDoor
from api.lists import LIST_SHARE, TOO_MANY
from api.tokens.caller import Scope
from record import acts as record
from record.acts import Outcome
from serving.paging import Page, page
from serving.problems import documented
from serving.queries import Limit

OR_FLEET = {"security": [{"bearer": [Scope.FLEET.value]}]}
"""The other scope that will do, for the OpenAPI document."""

router = authenticated(Scope.OPERATOR, Scope.FLEET, prefix="/acts", tags=["access"])

_Cursor = Annotated[
    str | None, Query(pattern=record.CURSOR, description="the next_cursor of the page before")
]


class WrittenAct(BaseModel):
    """What somebody did or tried; `times` is how often, since the row before it of the same act.

    `who` is the name of a token or the `sub` of a signed one, and `subject` its id. They and `tenant` are
    null if nobody knows them, as for a token that is not valid; `target` is then the address.
    """

    act_id: int
    at: datetime
    tenant: str | None
    who: str | None
    subject: str | None
    action: str
    target: str | None
    outcome: Outcome
    times: int


@router.get("", dependencies=[LIST_SHARE], responses=documented(422, **TOO_MANY), openapi_extra=OR_FLEET)
async def list_acts(
    door: OpenDoor, caller: CurrentCaller, limit: Limit = 50, cursor: _Cursor = None
) -> Page[WrittenAct]:
    """Who did or tried what, newest first: the acts of the caller's tenant, and of all for the fleet."""
    tenant = None if Scope.FLEET in caller.scopes else caller.tenant
    rows = await record.newest(door.pool, tenant, int(cursor) if cursor else None, limit + 1)
    found = [WrittenAct.model_validate(row) for row in rows]
    return page(found, limit, lambda act: [str(act.act_id)], write="".join)
