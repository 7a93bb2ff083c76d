"""The row of a choreographed trip: who wins it, and what it comes to, whatever the order of messages is."""

import asyncio
import random
from datetime import timedelta

import pytest

from choreography.advance import Means
from choreography.broker import BrokerAway
from choreography.ledger import Ledger
from record import choreographed, unfinished
from record.pool import Pool
from tests.choreography.ledger.rows import (
    FREE,
    Json,
    Noting,
    accept,
    age,
    begin,
    hear,
    make_due,
    messages_of,
    row_of,
    statuses,
    trip_of,
)
from tests.choreography.story import STAYS, TENANT, Story
from trip.partner import PAYMENT, POINTS, Partner, Verb
from trip.trip import OperatorOrder

pytestmark = pytest.mark.server

HOTEL, TOUR, FLIGHT = STAYS


async def test_a_trip_is_booked_by_what_its_partners_tell(
    record: Pool, ledger: Ledger, broker: Noting, shown: list[str]
) -> None:
    story = Story()
    await begin(record, ledger, story)
    assert broker.words(story) == ["requested"]
    await hear(ledger, *(story.held(partner) for partner in STAYS))
    assert statuses(await trip_of(record, story)) == ["held", "held", "held", "unknown", "pending"]
    await hear(ledger, story.held(POINTS), story.held(PAYMENT))
    assert (await row_of(record, story))["mark"] == "captures"
    assert broker.words(story) == ["requested", "bought"]
    await hear(ledger, *story.all_confirmed())
    trip = await trip_of(record, story)
    assert (trip["status"], set(statuses(trip))) == ("confirmed", {"confirmed"})
    assert trip["total"]["amount_minor"] == 2950
    events = await record.fetch(
        "select version, trip from trip_events where trip_id = $1 order by version", story.trip_id
    )
    assert [event["version"] for event in events] == list(range(len(events)))
    assert events[-1]["trip"] == trip
    assert len(shown) == len(events) - 1
    assert (await row_of(record, story))["due_at"] is None


async def test_a_refusal_undoes_the_trip_and_is_not_told_by_trips(
    record: Pool, ledger: Ledger, broker: Noting
) -> None:
    story = Story()
    await begin(record, ledger, story)
    await hear(ledger, story.held(HOTEL), story.refused(TOUR), story.held(FLIGHT))
    trip = await trip_of(record, story)
    assert (trip["status"], trip["failure"]["code"]) == ("compensating", "sold_out")
    assert broker.words(story) == ["requested"]
    await hear(ledger, story.released(HOTEL), story.released(FLIGHT))
    trip = await trip_of(record, story)
    assert trip["status"] == "failed"
    assert statuses(trip) == ["released", "failed", "released", "pending", "pending"]


ENDS = {
    "confirmed": lambda story: [*story.all_held(), *story.all_confirmed()],
    "failed": lambda story: [
        *(story.held(partner) for partner in (*STAYS, POINTS)),
        story.refused(PAYMENT, "declined"),
        *(story.released(partner) for partner in (*STAYS, POINTS)),
    ],
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("seed", range(5))
async def test_any_order_and_repeats_come_to_the_same_end(
    record: Pool, ledger: Ledger, end: str, seed: int
) -> None:
    draw = random.Random(seed)
    story = Story()
    await begin(record, ledger, story)
    messages = ENDS[end](story)
    left = messages + draw.choices(messages, k=5)
    draw.shuffle(left)
    while left:
        size = draw.randint(1, 4)
        await hear(ledger, *left[:size])
        del left[:size]
    trip = await trip_of(record, story)
    assert trip["status"] == end
    # A trip may end before all that led to it was heard. What comes after the end is not shown.
    sound = {"confirmed"} if end == "confirmed" else {"released", "failed", "pending"}
    assert set(statuses(trip)) <= sound


async def test_a_batch_has_many_trips(record: Pool, ledger: Ledger, broker: Noting) -> None:
    stories = [Story() for _ in range(20)]
    for story in stories:
        await begin(record, ledger, story)
    await hear(ledger, *(message for story in stories for message in story.all_held()))
    for story in stories:
        assert broker.words(story) == ["requested", "bought"]
    await asyncio.gather(
        hear(ledger, *(story.confirmed(partner) for story in stories for partner in Partner)),
        hear(ledger, *(story.confirmed(partner) for story in reversed(stories) for partner in Partner)),
    )
    for story in stories:
        assert (await trip_of(record, story))["status"] == "confirmed"


async def test_cancel_and_capture_exclude_each_other(record: Pool, ledger: Ledger, broker: Noting) -> None:
    won = set()
    for _ in range(20):
        story = Story()
        await begin(record, ledger, story)
        await hear(ledger, *story.all_held()[:-1])
        _, was_cancelled = await asyncio.gather(
            hear(ledger, story.held(PAYMENT)), ledger.cancel(story.trip_id)
        )
        assert (await row_of(record, story))["mark"] == ("undone" if was_cancelled else "captures")
        last = "withdrawn" if was_cancelled else "bought"
        assert broker.words(story) == ["requested", last]
        won.add(was_cancelled)
    assert won


async def test_nothing_changes_a_final_trip(record: Pool, ledger: Ledger, broker: Noting) -> None:
    story = Story()
    await begin(record, ledger, story)
    await hear(ledger, *story.all_held(), *story.all_confirmed())
    before, kept = await row_of(record, story), await messages_of(record, story)
    await hear(ledger, story.lapsed(HOTEL), story.released(TOUR), story.refused(FLIGHT))
    assert await messages_of(record, story) == kept
    assert not await ledger.cancel(story.trip_id)
    order = OperatorOrder(step=HOTEL, action="resolve", who="ops", note="by hand")
    assert not await ledger.operate(story.trip_id, order)
    await ledger.start(story.booked_at(before["created_at"]), FREE)
    assert await row_of(record, story) == before


async def test_a_start_may_be_repeated(record: Pool, ledger: Ledger, broker: Noting) -> None:
    story = Story()
    await begin(record, ledger, story)
    booking = story.booked_at(await record.fetchval("select now()"))
    await ledger.start(booking, FREE)
    assert broker.words(story) == ["requested", "requested"]  # of one id, so that the broker drops one
    await hear(ledger, story.refused(HOTEL))
    await ledger.start(booking, FREE)
    assert broker.words(story) == ["requested", "requested"]


async def test_a_start_without_a_broker_leaves_the_trip_as_it_is(
    record: Pool, ledger: Ledger, broker: Noting
) -> None:
    story = Story()
    with pytest.raises(BrokerAway):
        await begin(record, ledger, story, Means(frozenset(), can_tell=False))
    assert (await row_of(record, story))["mark"] is None
    assert await ledger.cancel(story.trip_id)
    trip = await trip_of(record, story)
    assert (trip["status"], set(statuses(trip))) == ("cancelled", {"pending"})
    assert broker.words(story) == []


async def test_an_open_breaker_ends_a_trip_that_does_not_wait(
    record: Pool, ledger: Ledger, broker: Noting
) -> None:
    story = Story()
    await begin(record, ledger, story, Means({FLIGHT}, can_tell=True))
    trip = await trip_of(record, story)
    assert (trip["status"], trip["failure"]["step"]) == ("failed", "flight")
    assert trip["failure"]["code"] == "partner_unavailable"
    assert broker.words(story) == []


async def test_a_capture_after_the_deadline_is_not_decided(record: Pool, ledger: Ledger) -> None:
    story = Story({"deadline_s": 5})
    await begin(record, ledger, story)
    await age(record, story, timedelta(seconds=6))
    await hear(ledger, *story.all_held())
    assert (await row_of(record, story))["mark"] == "undone"


async def test_a_step_that_stands_still_needs_attention_until_it_is_settled_by_hand(
    record: Pool, ledger: Ledger, broker: Noting
) -> None:
    story = Story()
    await begin(record, ledger, story)
    await hear(ledger, *story.all_held(), *(story.confirmed(one) for one in Partner if one is not HOTEL))
    order = OperatorOrder(step=HOTEL, action="retry", who="ops")
    assert not await ledger.operate(story.trip_id, order)
    await hear(ledger, *(story.tried(HOTEL, Verb.CONFIRM, number, last=number == 3) for number in (1, 2, 3)))
    assert (await trip_of(record, story))["status"] == "needs_attention"
    assert await ledger.operate(story.trip_id, order)
    assert broker.words(story)[-1] == "captured/n1"
    assert broker.heard[-1].data.made == {HOTEL: 3}
    assert (await trip_of(record, story))["status"] == "booking"
    await hear(ledger, story.tried(HOTEL, Verb.CONFIRM, 4, last=True))
    order = OperatorOrder(step=HOTEL, action="resolve", who="ops", note="by phone")
    assert await ledger.operate(story.trip_id, order)
    trip = await trip_of(record, story)
    assert (trip["status"], statuses(trip)[0]) == ("confirmed", "confirmed")
    assert [(one["action"], one["note"]) for one in trip["interventions"]] == [
        ("retry", None),
        ("resolve", "by phone"),
    ]
    assert await record.fetchval("select count(*) from attempts where trip_id = $1", story.trip_id) == 4


async def test_messages_are_kept_once_and_without_the_card(record: Pool, ledger: Ledger) -> None:
    story = Story()
    await begin(record, ledger, story)
    await hear(ledger, *story.all_held())
    await hear(ledger, *story.all_held(), *story.all_confirmed())
    kept: list[Json] = []
    cursor = None
    while page := await choreographed.messages(record, story.trip_id, TENANT, 5, cursor):
        kept += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [one["subject"] for one in kept][:2] == ["trips.requested", "trips.held.hotel.points"]
    assert [one["source"] for one in kept].count("trips") == 2
    assert len({one["message_id"] for one in kept}) == len(kept) == 12
    assert not any(
        "parts" in one["body"]["data"]["slip"] and one["body"]["data"]["slip"]["parts"] for one in kept
    )
    assert await choreographed.messages(record, story.trip_id, "another", 5, None) is None


async def test_a_workflows_trip_is_left_alone(record: Pool, ledger: Ledger) -> None:
    story = Story({"coordination": "orchestration"})
    await accept(record, story)
    await hear(ledger, *story.all_held())
    row = await row_of(record, story)
    assert (row["mark"], row["facts"], row["due_at"]) == (None, None, None)


async def test_no_workflow_takes_a_choreographed_trip_over(record: Pool, ledger: Ledger) -> None:
    story = Story()
    await begin(record, ledger, story)
    assert story.trip_id not in await unfinished.started(record, "", 10_000)
    assert await unfinished.left(record, story.trip_id) is None


async def test_a_row_of_another_version_holds_up_nobody(record: Pool, ledger: Ledger, broker: Noting) -> None:
    unreadable, story = Story(), Story()
    await accept(record, unreadable)
    await record.execute("update trips set booking = '{}' where trip_id = $1", unreadable.trip_id)
    await accept(record, story)
    await make_due(record, unreadable)
    await make_due(record, story)
    await ledger.look(FREE)
    assert broker.words(story) == ["requested"]
    assert (await row_of(record, unreadable))["due_at"] > await record.fetchval("select now()")


async def failures_of(record: Pool, story: Story) -> list[tuple[str, str, bool]]:
    """The trip's failed attempts: the step, how it ended, and whether another one follows."""
    rows = await record.fetch(
        "select step, outcome, next_at is not null as goes_on from attempts where trip_id = $1", story.trip_id
    )
    return [(row["step"], row["outcome"], row["goes_on"]) for row in rows]


async def test_a_refusal_is_kept_as_one_failed_attempt(record: Pool, ledger: Ledger) -> None:
    story = Story()
    await begin(record, ledger, story)
    for _ in range(2):
        await hear(ledger, story.refused(HOTEL))
    assert await failures_of(record, story) == [("hotel", "refused", False)]


@pytest.mark.parametrize("when_partner_down", ["fail", "wait"])
async def test_who_is_kept_out_is_one_failed_attempt(
    record: Pool, ledger: Ledger, when_partner_down: str
) -> None:
    story = Story({"when_partner_down": when_partner_down})
    sick = Means(open_at=frozenset({TOUR}), can_tell=True)
    await begin(record, ledger, story, sick)
    for _ in range(2):
        await make_due(record, story)
        await ledger.look(sick)
    assert await failures_of(record, story) == [("tour", "kept_out", when_partner_down == "wait")]
    await ledger.cancel(story.trip_id)
