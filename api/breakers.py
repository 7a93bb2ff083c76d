"""The calls on breakers: look at them, and overrule them."""

from typing import Annotated, Literal

from fastapi import Request
from pydantic import Field

from access.caller import Scope
from api.caller import caller_of
from api.door import Door, door_of
from api.guard import guarded
from breaker.configured import breaker_policy
from breaker.models import Breaker, BreakerEvent
from breaker.store import Store
from domain.partner import Partner
from wire.fields import Body, Identifier
from wire.paging import Cursor, CursorError, Limit, Page, page, read_cursor
from wire.problems import documented

router = guarded(Scope.OPERATOR, prefix="/breakers", tags=["breakers"])


class Override(Body):
    """A person's word over a breaker; null lifts it. `reason` is kept in the log of changes."""

    override: Literal["open", "closed"] | None
    reason: Annotated[Identifier, Field(examples=["maintenance until 14:00"])]


def _store(door: Door) -> Store:
    return Store(door.pool, breaker_policy(door.settings))


@router.get("", responses=documented(503))
async def list_breakers(request: Request) -> Page[Breaker]:
    """Every partner's breaker."""
    return Page(items=await _store(door_of(request)).list_breakers(list(Partner)))


@router.get("/{partner}", responses=documented(422, 503))
async def show(request: Request, partner: Partner) -> Breaker:
    """One breaker; `calls` and `failures` are those in the window."""
    return (await _store(door_of(request)).list_breakers([partner]))[0]


@router.put("/{partner}", responses=documented(413, 422, 503))
async def override(request: Request, partner: Partner, body: Override) -> Breaker:
    """Hold the breaker open or closed, or let it decide again."""
    store = _store(door_of(request))
    await store.set_override(partner, body.override, body.reason, caller_of(request).name)
    return (await store.list_breakers([partner]))[0]


@router.get("/{partner}/events", responses=documented(422, 503))
async def events(
    request: Request,
    partner: Partner,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[BreakerEvent]:
    """The log of the breaker's changes, newest first."""
    before = _event_id(cursor)
    found = await _store(door_of(request)).list_events(partner, limit + 1, before)
    return page(found, limit, lambda event: [str(event.event_id)])


def _event_id(cursor: str | None) -> int | None:
    position = read_cursor(cursor, parts=1)
    if position is None:
        return None
    if not (position[0].isascii() and position[0].isdigit() and len(position[0]) <= 18):
        raise CursorError
    return int(position[0])
