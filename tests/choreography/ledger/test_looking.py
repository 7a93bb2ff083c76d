"""When the row of a choreographed trip is looked at, and what a look comes to."""

from datetime import timedelta

import pytest

from choreography.advance import Means
from choreography.ledger import Ledger
from record.pool import Pool
from tests.choreography.ledger.rows import (
    FREE,
    Noting,
    accept,
    age,
    begin,
    hear,
    make_due,
    row_of,
    stand_still,
    trip_of,
)
from tests.choreography.story import STAYS, Story

pytestmark = pytest.mark.server

HOTEL, TOUR, FLIGHT = STAYS


async def test_a_trip_that_waits_begins_when_the_breaker_closes(
    record: Pool, ledger: Ledger, broker: Noting
) -> None:
    story = Story({"when_partner_down": "wait"})
    await begin(record, ledger, story, Means({FLIGHT}, can_tell=True))
    await make_due(record, story)
    await ledger.look(Means({FLIGHT}, can_tell=True))
    assert broker.words(story) == []
    await make_due(record, story)
    await ledger.look(FREE)
    assert broker.words(story) == ["requested"]


async def test_a_trip_under_way_does_not_wait_for_a_partner_that_went_down(
    record: Pool, ledger: Ledger, broker: Noting
) -> None:
    story = Story()
    await begin(record, ledger, story)
    await hear(ledger, story.held(HOTEL))
    await make_due(record, story)
    await ledger.look(Means({HOTEL}, can_tell=True))
    assert (await row_of(record, story))["mark"] == "begun"  # the hotel has told what came of its hold
    await make_due(record, story)
    await ledger.look(Means({TOUR}, can_tell=True))
    trip = await trip_of(record, story)
    assert (trip["status"], trip["failure"]["step"]) == ("compensating", "tour")
    assert broker.words(story)[-1] == "withdrawn"


@pytest.mark.parametrize("mark", [None, "begun"])
async def test_the_deadline_ends_a_trip(
    record: Pool, ledger: Ledger, broker: Noting, mark: str | None
) -> None:
    story = Story({"deadline_s": 5})
    if mark:
        await begin(record, ledger, story)
        await hear(ledger, story.held(HOTEL))
    else:
        await accept(record, story)
    await age(record, story, timedelta(seconds=6))
    await make_due(record, story)
    await ledger.look(FREE)
    trip = await trip_of(record, story)
    assert trip["failure"]["code"] == "deadline_exceeded"
    assert trip["failure"]["step"] == ("tour" if mark else "hotel")
    assert trip["status"] == ("compensating" if mark else "failed")
    assert broker.words(story) == (["requested", "withdrawn"] if mark else [])


async def test_a_trip_is_looked_at_when_its_deadline_is_over(record: Pool, ledger: Ledger) -> None:
    story = Story({"deadline_s": 10})
    await begin(record, ledger, story)
    await make_due(record, story)
    await ledger.look(FREE)
    await stand_still(record, story, timedelta(minutes=5))
    await make_due(record, story)
    await ledger.look(FREE)
    row = await row_of(record, story)
    assert row["due_at"] - row["created_at"] <= timedelta(seconds=10)


async def test_what_was_told_is_told_again_ever_more_seldom(
    record: Pool, ledger: Ledger, broker: Noting
) -> None:
    story = Story()
    await begin(record, ledger, story)
    await make_due(record, story)
    await ledger.look(FREE)
    assert broker.words(story) == ["requested"]  # it moves
    waits = []
    for still_s in (2, 4, 16, 600):
        await stand_still(record, story, timedelta(seconds=still_s))
        await make_due(record, story)
        await ledger.look(FREE)
        row = await row_of(record, story)
        waits.append((row["due_at"] - await record.fetchval("select now()")).total_seconds())
    told = ["requested", "requested/n1", "requested/n2", "requested/n3", "requested/n4"]
    assert broker.words(story) == told
    assert waits == sorted(waits)
    assert waits[0] < 3 and 20 < waits[-1] < 40
    await hear(ledger, *story.all_held())
    assert broker.words(story)[-1] == "bought/n4"
    assert (await row_of(record, story))["due_at"] - await record.fetchval("select now()") < timedelta(
        seconds=3
    )


async def test_a_step_that_takes_too_long_needs_attention(record: Pool, ledger: Ledger) -> None:
    story = Story()
    await begin(record, ledger, story)
    await ledger.cancel(story.trip_id)
    facts = await record.fetchval("select facts from trips where trip_id = $1", story.trip_id)
    facts["decided_at"] = (await record.fetchval("select now() - interval '61 s'")).isoformat()
    await record.execute("update trips set facts = $2 where trip_id = $1", story.trip_id, facts)
    await make_due(record, story)
    await ledger.look(FREE)
    assert (await trip_of(record, story))["status"] == "needs_attention"
