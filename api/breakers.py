"""Calls to see breakers and to overrule them."""

from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import Field

from api.authentication import CurrentCaller, authenticated
from api.door import OpenDoor
from api.tokens.caller import Scope
from guard.models import Breaker, BreakerEvent
from guard.store import Store
from serving.fields import Body, Identifier
from serving.paging import Page, page
from serving.problems import documented
from serving.queries import Limit
from trip.partner import Partner

router = authenticated(Scope.FLEET, prefix="/breakers", tags=["breakers"])


_Cursor = Annotated[
    str | None, Query(pattern=r"^[0-9]{1,18}$", description="the next_cursor of the page before")
]


class Override(Body):
    """An operator's word over the breaker; null lifts it. The log of changes keeps `reason`."""

    override: Annotated[Literal["open", "closed"] | None, Field(examples=[None])]
    reason: Annotated[Identifier, Field(examples=["maintenance is over"])]


async def _store(door: OpenDoor) -> Store:
    return Store(door.pool, door.settings.breaker_policy())


Breakers = Annotated[Store, Depends(_store)]


@router.get("")
async def list_breakers(breakers: Breakers) -> Page[Breaker]:
    """Every partner's breaker."""
    return Page(items=await breakers.list_breakers(list(Partner)))


@router.get("/{partner}", responses=documented(422))
async def get_breaker(breakers: Breakers, partner: Partner) -> Breaker:
    """One breaker; `calls` and `failures` are those in the window."""
    return (await breakers.list_breakers([partner]))[0]


@router.put("/{partner}", responses=documented(408, 413, 415, 422, broken_json=422))
async def override_breaker(
    breakers: Breakers, caller: CurrentCaller, partner: Partner, body: Override
) -> Breaker:
    """Hold the breaker open or closed, or let it decide again."""
    await breakers.set_override(partner, body.override, body.reason, caller.name)
    return (await breakers.list_breakers([partner]))[0]


@router.get("/{partner}/events", responses=documented(422))
async def list_breaker_events(
    breakers: Breakers,
    partner: Partner,
    limit: Limit = 50,
    cursor: _Cursor = None,
) -> Page[BreakerEvent]:
    """The log of the breaker's changes, newest first."""
    before = int(cursor) if cursor else None
    found = await breakers.list_events(partner, limit + 1, before)
    return page(found, limit, lambda event: [str(event.event_id)], write="".join)
