"""The events of one trip, as a stream that a reader can resume."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT
from pydantic import StringConstraints

from api.authentication import ANY_CALL, CurrentCaller, authenticated
from api.door import Door, OpenDoor
from api.feeds import Event, Feed, event_of
from api.tokens.caller import Scope
from api.trips import unknown_trip
from record import events as record
from record.pool import RecordAway
from serving.fields import Identifier
from serving.problems import bad_field, documented, unavailable

router = authenticated(Scope.TRAVELLER, prefix="/trips", tags=["trips"])

KEEP_ALIVE_S = 15.0
BEFORE_THE_FIRST = -1
COME_BACK_IN_S = 5

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

EventId = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{1,18}$")]


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
    """No place is left for another stream: answered 503."""


async def refuse_stream(_request: Request, _error: Exception) -> Response:
    """The answer to TooManyStreams."""
    return unavailable("too_many_streams", "too many event streams are open; come back later", COME_BACK_IN_S)


async def _place(door: OpenDoor) -> AsyncIterator[None]:
    """A place among the streams, from before the first query to the end of the stream."""
    if not door.streams.are_left():
        raise TooManyStreams
    with door.streams:
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
    trip_id: Identifier,
    last_event_id: Annotated[
        EventId | None, Header(alias="Last-Event-ID", description="the `id` of the last event received")
    ] = None,
) -> Response:
    """Each change of the trip once and in order: `event: trip`, `id:` its version, `data:` the trip.

    Without `Last-Event-ID` it begins with the first change. The stream ends after a final status; resume a
    stream that ends before one.
    """
    standing = await record.standing(door.pool, trip_id, caller.tenant)
    if standing is None:
        return unknown_trip()
    seen = BEFORE_THE_FIRST if last_event_id is None else int(last_event_id)
    if seen > standing.newest:
        return bad_field("Last-Event-ID", "no event of this trip; leave it out to start from the first")
    if standing.has_ended and seen == standing.newest:
        return Response(headers=_HEADERS, media_type=EventStream.media_type)
    return EventStream(_messages(door, trip_id, seen), headers=_HEADERS)


async def _messages(door: Door, trip_id: str, seen: int) -> AsyncIterator[bytes]:
    """What one reader is sent: the events after the version `seen`, to the end."""
    with door.feeds.joined(trip_id, seen) as feed:
        while not door.feeds.are_ending:
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
        return [event_of(row) for row in await record.newer(door.pool, {trip_id: seen})]
    except RecordAway:
        return None
