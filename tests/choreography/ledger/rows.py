"""A broker that keeps what it is told, and the rows of trips in the record."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import asyncpg

from choreography.advance import Means
from choreography.broker import Broker, BrokerAway
from choreography.ledger import Ledger
from choreography.messages import Message, read
from record import trips
from record.pool import Pool
from record.trips import Request
from tests.choreography.story import TENANT, Story, delivery

FREE = Means(open_at=frozenset(), can_tell=True)
Json = dict[str, Any]


class Noting(Broker):
    """A broker that keeps what it is told. While it is `away` it takes nothing."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.away = False

    async def publish(self, subject: str, body: bytes, message_id: str, headers: object = None) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise BrokerAway("on purpose")
        self.heard.append(read(body))

    def words(self, story: Story) -> list[str]:
        """What `trips` told of the trip: `requested`, or `requested/n1` for the first time again."""
        return [one.id.split("/", 2)[2] for one in self.heard if one.subject == story.trip_id]


async def accept(record: Pool, story: Story) -> None:
    await trips.accept(record, Request(story.booked_at, TENANT, None, b""))


async def begin(record: Pool, ledger: Ledger, story: Story, means: Means = FREE) -> None:
    await accept(record, story)
    await ledger.start(story.booked_at(await record.fetchval("select now()")), means)


async def hear(ledger: Ledger, *messages: Message) -> None:
    await ledger.hear([delivery(message) for message in messages])


async def trip_of(record: Pool, story: Story) -> Json:
    trip = await trips.fetch(record, story.trip_id, TENANT)
    assert trip is not None
    return trip


async def row_of(record: Pool, story: Story) -> asyncpg.Record:
    row = await record.fetchrow(
        "select *, sending::text as mark from trips where trip_id = $1", story.trip_id
    )
    assert row is not None
    return row


async def messages_of(record: Pool, story: Story) -> list[str]:
    rows = await record.fetch("select message_id from trip_messages where trip_id = $1", story.trip_id)
    return [row["message_id"] for row in rows]


def statuses(trip: Json) -> list[str]:
    return [step["status"] for step in trip["steps"]]


async def make_due(record: Pool, story: Story) -> None:
    """Have the trip looked at now."""
    await record.execute("update trips set due_at = now() - interval '1 s' where trip_id = $1", story.trip_id)


async def stand_still(record: Pool, story: Story, by: timedelta) -> None:
    """Have the trip as if it had not changed for so long."""
    at = await record.fetchval("select now() - $1::interval", by)
    shown = await record.fetchval("select trip::text from trips where trip_id = $1", story.trip_id)
    written = f'"updated_at":"{at.isoformat().replace("+00:00", "Z")}"'
    await record.execute(
        "update trips set updated_at = $2, trip = $3::text::json where trip_id = $1",
        story.trip_id,
        at,
        re.sub(r'"updated_at":"[^"]*"', written, shown),
    )


async def age(record: Pool, story: Story, by: timedelta) -> None:
    """Have the trip accepted so long ago."""
    booking = await record.fetchval("select booking from trips where trip_id = $1", story.trip_id)
    at = await record.fetchval("select now() - $1::interval", by)
    booking["accepted_at"] = at.isoformat()
    await record.execute(
        "update trips set booking = $2, created_at = $3, updated_at = $3 where trip_id = $1",
        story.trip_id,
        booking,
        at,
    )
