"""The events of one trip, as a stream that a reader can resume."""

import re
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT

from api.authentication import ANY_CALL, CurrentCaller, authenticated, is_still_allowed
from api.door import Door, OpenDoor
from api.feeds import Event, Feed
from api.tokens.caller import Scope
from api.trips import unknown_trip
from record import events as record
from record.pool import RecordAway
from serving.fields import Identifier
from serving.problems import documented, unavailable

router = authenticated(Scope.TRAVELLER, prefix="/trips", tags=["trips"])

KEEP_ALIVE_S = 15.0
LOOK_AT_TOKEN_S = 10.0
"""How old the last look at a reader's token may get before something is sent."""
BEFORE_THE_FIRST = -1
COME_BACK_IN_S = 5

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_EVENT_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


class EventStream(StreamingResponse):
    """Server-sent events, as the HTML standard defines them."""

    media_type = "text/event-stream"


_EVENT = {
    "type": "object",
    "description": "one event of the stream",
    "properties": {
        "event": {"const": "trip"},
        "id": {"type": "string", "description": "the version of the trip"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/Trip"},
        },
    },
}


class TooManyStreams(Exception):
    """No place is left for another stream of this tenant: answered 503."""


async def refuse_stream(_request: Request, _error: Exception) -> Response:
    """The answer to TooManyStreams."""
    return unavailable("too_many_streams", "too many event streams are open; come back later", COME_BACK_IN_S)


async def _place(door: OpenDoor, caller: CurrentCaller) -> AsyncIterator[None]:
    """A place among the streams, from before the first query to the end of the stream."""
    if not door.streams.may_take(caller.tenant):
        raise TooManyStreams
    with door.streams.held(caller.tenant):
        yield


@router.get(
    "/{trip_id}/events",
    response_class=EventStream,
    dependencies=[Depends(_place)],
    responses={
        200: {"content": {EventStream.media_type: {"schema": _EVENT}}},
        **documented(422, unknown_trip=404, too_many_streams=503, **ANY_CALL),
    },
)
async def stream_trip(
    door: OpenDoor,
    caller: CurrentCaller,
    request: Request,
    trip_id: Identifier,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="the `id` of the last event received")
    ] = None,
) -> Response:
    """Each change of the trip once and in order: `event: trip`, `id:` its version, `data:` the trip.

    Without the `Last-Event-ID` of one of the trip's events it begins with the first change. The stream ends
    after a final status; resume a stream that ends before one. It also ends soon after its token is revoked
    or expires.
    """
    standing = await record.standing(door.pool, trip_id, caller.tenant)
    if standing is None:
        return unknown_trip()
    seen = _last_seen(last_event_id, standing.newest)
    if standing.has_ended and seen == standing.newest:
        return Response(headers=_HEADERS, media_type=EventStream.media_type)
    return EventStream(_messages(door, request, trip_id, seen), headers=_HEADERS)


def _last_seen(event_id: str | None, newest: int) -> int:
    # A browser whose stream is refused never comes back. So what is no event's id counts as none.
    if event_id is None or not _EVENT_ID.fullmatch(event_id) or int(event_id) > newest:
        return BEFORE_THE_FIRST
    return int(event_id)


async def _messages(door: Door, request: Request, trip_id: str, seen: int) -> AsyncIterator[bytes]:
    """What one reader is sent: the events after the version `seen`, to the end."""
    looked_at = time.monotonic()
    with door.feeds.joined(trip_id, seen) as feed:
        while not door.feeds.are_ending:
            if time.monotonic() - looked_at >= LOOK_AT_TOKEN_S:
                looked_at = time.monotonic()
                if not await is_still_allowed(request):
                    return
            newer = await _newer(door, feed, trip_id, seen)
            if newer is None:
                return
            if newer:
                yield b"".join(event.message for event in newer)
                seen = newer[-1].version
                if newer[-1].is_final:
                    return
            elif not await feed.next_change(KEEP_ALIVE_S):
                yield KEEPALIVE_COMMENT


async def _newer(door: Door, feed: Feed, trip_id: str, seen: int) -> list[Event] | None:
    """The events after `seen`: from the feed, or from the record if the feed no longer has them all.

    None: the record does not answer. The stream then ends, and its reader resumes.
    """
    newer = feed.after(seen)
    if newer is not None:
        return newer
    try:
        return [door.feeds.event_of(row) for row in await record.newer(door.pool, {trip_id: seen})]
    except RecordAway:
        return None
