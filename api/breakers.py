"""The calls on breakers: look at them, and overrule them."""

from typing import Annotated, Literal

from fastapi import Query, Request
from pydantic import Field

from api.authentication import guarded
from api.caller import caller_of
from api.door import Door, door_of
from api.tokens.caller import Scope
from guard.models import Breaker, BreakerEvent
from guard.store import Store
from serving.fields import Body, Identifier
from serving.paging import Limit, Page, page
from serving.problems import documented
from trip.partner import Partner

router = guarded(Scope.OPERATOR, prefix="/breakers", tags=["breakers"])


_Cursor = Annotated[
    str | None, Query(pattern=r"^[0-9]{1,18}$", description="the next_cursor of the page before")
]


class Override(Body):
    """A person's word over a breaker; null lifts it. `reason` is kept in the log of changes."""

    override: Annotated[Literal["open", "closed"] | None, Field(examples=[None])]
    reason: Annotated[Identifier, Field(examples=["maintenance is over"])]


def _store(door: Door) -> Store:
    return Store(door.pool, door.settings.breaker_policy())


@router.get("")
async def list_breakers(request: Request) -> Page[Breaker]:
    """Every partner's breaker."""
    return Page(items=await _store(door_of(request)).list_breakers(list(Partner)))


@router.get("/{partner}", responses=documented(422))
async def get_breaker(request: Request, partner: Partner) -> Breaker:
    """One breaker; `calls` and `failures` are those in the window."""
    return (await _store(door_of(request)).list_breakers([partner]))[0]


@router.put("/{partner}", responses=documented(408, 413, 422, broken_json=422))
async def override_breaker(request: Request, partner: Partner, body: Override) -> Breaker:
    """Hold the breaker open or closed, or let it decide again."""
    store = _store(door_of(request))
    await store.set_override(partner, body.override, body.reason, caller_of(request).name)
    return (await store.list_breakers([partner]))[0]


@router.get("/{partner}/events", responses=documented(422))
async def list_breaker_events(
    request: Request,
    partner: Partner,
    limit: Limit = 50,
    cursor: _Cursor = None,
) -> Page[BreakerEvent]:
    """The log of the breaker's changes, newest first."""
    before = int(cursor) if cursor else None
    found = await _store(door_of(request)).list_events(partner, limit + 1, before)
    return page(found, limit, lambda event: [str(event.event_id)], write="".join)
