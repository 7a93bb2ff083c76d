"""A traveller is taken out of ended trips, wherever the record tells of them, and what is old goes."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from choreography.messages import Refused, RefusedData, Slip, Tried, TriedData
from choreography.protocol import Note
from choreography.words import noted
from partners.participant import Refusal
from record import attempts, choreographed, events, retention, trips
from record.adapter_steps import AdapterSteps
from record.attempts import Entry
from record.choreographed import Written
from record.erasure import Erasure, Forget, erase
from record.pool import Pool, document
from record.retention import Keep, sweep
from record.trips import Request
from tests.guard.own_postgres import OwnPostgres
from tests.record.empty import empty_record
from tests.record.test_accepting import booking
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.fence import Mark, failed
from trip.order import TripOrder
from trip.partner import PAYMENT, POINTS, Partner, Verb
from trip.trip import Booking, Failure, Intervention, StepError, Trip, TripStatus, new_trip

TENANT = "erasing"
NAME, EMAIL, MEMBER, TOKEN = "Grace Brewster", "Grace.B@example.com", "M-777123", "tok_of_grace"
WORDS = f"{NAME} ({MEMBER}) has no points left"
PERSONAL = (NAME, EMAIL, EMAIL.lower(), MEMBER, TOKEN)
HOTEL = next(iter(Partner))
LONG = timedelta(days=3650)

_DUMP = "select coalesce(string_agg(one::text, ' '), '') from {} as one"


@pytest.fixture
async def record(server: OwnPostgres) -> AsyncIterator[Pool]:
    async with empty_record(server.database_url) as way, way.open() as pool:
        yield pool


class Forgotten:
    """The trips whose workflows were deleted, and whose partners were asked to erase their own."""

    def __init__(self) -> None:
        self.trip_ids: list[str] = []
        self.asked: dict[str, Sequence[Partner]] = {}
        self.away: str | None = None

    @property
    def others(self) -> Forget:
        return Forget(self._workflows, self._reservations)

    async def _workflows(self, trip_ids: Sequence[str]) -> None:
        self._answer("temporal")
        self.trip_ids += trip_ids

    async def _reservations(self, keys: Mapping[str, Sequence[Partner]]) -> None:
        self._answer("partner")
        self.asked |= keys

    def _answer(self, who: str) -> None:
        if self.away == who:
            raise ConnectionError


@pytest.fixture
def forgotten() -> Forgotten:
    return Forgotten()


def booking_of(email: str, *, choreographed: bool, tenant: str = TENANT) -> Booking:
    one = booking(datetime.now(UTC))
    order = one.order.model_dump(mode="json") | {
        "traveller": {"name": NAME, "email": email, "member_id": MEMBER},
        "points": {"redeem": 10},
        "payment": {"card_token": TOKEN, "currency": "JPY"},
        "coordination": "choreography" if choreographed else "orchestration",
    }
    return one.model_copy(update={"tenant": tenant, "order": TripOrder.model_validate(order)})


async def accepted(
    record: Pool, email: str = EMAIL, *, choreographed: bool = False, tenant: str = TENANT
) -> Booking:
    """Accept a trip."""
    made = booking_of(email, choreographed=choreographed, tenant=tenant)
    await trips.accept(record, Request(lambda _: made, tenant, None, b"hash"))
    return made


def ended(booking: Booking, status: TripStatus = TripStatus.FAILED) -> Trip:
    """The trip at its end. Partners and an operator have said whatever they liked."""
    trip = new_trip(booking)
    trip.status, trip.updated_at = status, datetime.now(UTC)
    trip.failure = Failure(step=POINTS, code="insufficient_points", message=WORDS)
    trip.steps[0].error = StepError(code="insufficient_points", message=WORDS)
    at = datetime.now(UTC)
    trip.interventions = [Intervention(step=POINTS, action="resolve", who="operator", note=WORDS, at=at)]
    return trip


async def end(record: Pool, booking: Booking, status: TripStatus = TripStatus.FAILED) -> Trip:
    """End the trip as its kind does, with all that the record may hold of it."""
    trip = ended(booking, status)
    attempt = FailedAttempt(
        step=POINTS,
        verb=Verb.RESERVE,
        attempt=1,
        at=datetime.now(UTC),
        took_ms=1,
        outcome=AttemptOutcome.REFUSED,
        error=WORDS,
        next_at=None,
    )
    await attempts.write(record, [Entry(booking.trip_id, "call", attempt)])
    if booking.order.coordination == "choreography":
        await _end_choreographed(record, booking, trip, attempt)
    else:
        assert await trips.save(record, trip, 5) is None
    return trip


async def _end_choreographed(record: Pool, booking: Booking, trip: Trip, attempt: FailedAttempt) -> None:
    slip = Slip(stages=((HOTEL,), (POINTS,), (PAYMENT,)), parts={POINTS: {"member_id": MEMBER}})
    said = {"source": "points", "subject": trip.trip_id, "time": trip.updated_at}
    refused = Refused(id="1", data=RefusedData(slip=slip, seq=1, code="x", message=WORDS), **said)
    tried = Tried(id="2", data=TriedData(slip=slip, attempt=attempt), **said)
    assert trip.failure is not None
    written = Written(
        trip_id=trip.trip_id,
        sending=Mark.UNDONE,
        ending=document(failed(trip.failure)),
        facts=json.dumps({"partners": {"points": {"refused": {"error": {"code": "x", "message": WORDS}}}}}),
        trip=document(trip),
        status=trip.status,
        updated_at=trip.updated_at,
        due_at=None,
    )
    async with choreographed.locked(record, [trip.trip_id]) as batch:
        await batch.write([written], [noted(refused), noted(tried)], [])
    steps = AdapterSteps(record, HOTEL)
    await steps.ask(trip.trip_id, b"hash", Note(slip=slip).model_dump_json())
    await AdapterSteps(record, POINTS).refuse(
        trip.trip_id, Refusal(code="x", message=WORDS), Note(slip=slip).model_dump_json()
    )


async def dumped(record: Pool) -> dict[str, str]:
    """Every table of the record as text."""
    tables = await record.fetch("select tablename from pg_tables where schemaname = current_schema()")
    return {row[0]: await record.fetchval(_DUMP.format(row[0])) for row in tables}


async def told_of(record: Pool, *texts: str) -> dict[str, list[str]]:
    """The texts that stand in each table."""
    return {
        table: found
        for table, dump in (await dumped(record)).items()
        if (found := [text for text in texts if text in dump])
    }


@pytest.mark.parametrize("choreographed", [False, True])
@pytest.mark.parametrize("status", [TripStatus.CONFIRMED, TripStatus.FAILED, TripStatus.CANCELLED])
async def test_the_cards_token_is_gone_once_the_trip_has_ended(
    record: Pool, status: TripStatus, choreographed: bool
) -> None:
    made = await accepted(record, choreographed=choreographed)
    assert await told_of(record, TOKEN) == {"trips": [TOKEN]}
    await record.execute("update trips set sending = 'captures' where trip_id = $1", made.trip_id)
    trip = ended(made, status)
    for step in trip.steps:
        step.amount_minor = 1
    if choreographed:
        await _end_choreographed(record, made, trip, FAILED_ATTEMPT)
    else:
        assert await trips.save(record, trip, 5) is None
    assert await told_of(record, TOKEN) == {}
    row = await record.fetchrow("select booking, body_hash, ended_at from trips")
    assert row is not None
    assert row["ended_at"] is not None
    assert row["body_hash"] == b"hash"
    kept = Booking.model_validate(row["booking"])
    assert (kept.order.traveller.name, kept.order.part(HOTEL)) == (NAME, made.order.part(HOTEL))


FAILED_ATTEMPT = FailedAttempt(
    step=POINTS,
    verb=Verb.RESERVE,
    attempt=1,
    at=datetime.now(UTC),
    took_ms=1,
    outcome=AttemptOutcome.REFUSED,
    error="",
    next_at=None,
)


async def test_no_table_tells_of_a_traveller_who_was_erased(record: Pool, forgotten: Forgotten) -> None:
    carried, told = await accepted(record), await accepted(record, EMAIL.upper(), choreographed=True)
    ends = [await end(record, carried, TripStatus.CANCELLED), await end(record, told)]
    assert len(await told_of(record, *PERSONAL)) == 5
    assert await erase(record, EMAIL.lower(), TENANT, forgotten.others) == Erasure(erased=2, not_ended=0)
    assert await told_of(record, *PERSONAL, EMAIL.upper()) == {}
    assert forgotten.trip_ids == [carried.trip_id]
    assert forgotten.asked == {made.trip_id: made.order.partners() for made in (carried, told)}
    for before, made in zip(ends, (carried, told), strict=True):
        row = await record.fetchrow("select * from trips where trip_id = $1", before.trip_id)
        assert row is not None
        assert row["body_hash"] == b""
        after = Trip.model_validate(row["trip"])
        assert [step.reference for step in after.steps] == [step.reference for step in before.steps]
        assert (after.status, after.failure and after.failure.code) == (before.status, "insufficient_points")
        kept = Booking.model_validate(row["booking"])
        assert kept.order.partners() == made.order.partners()
    hashes = await record.fetch("select body_hash from adapter_steps order by partner")
    assert [row["body_hash"] for row in hashes] == [b"", None]
    await attempts.write(record, [Entry(carried.trip_id, "late", FAILED_ATTEMPT)])
    assert await record.fetchval("select count(*) from attempts") == 2
    assert await erase(record, EMAIL, TENANT, forgotten.others) == Erasure(erased=0, not_ended=0)


async def test_what_is_made_shorter_is_not_told_again(record: Pool, forgotten: Forgotten) -> None:
    made = await accepted(record, choreographed=True)
    await end(record, made)
    await record.execute("update adapter_steps set untold = false")
    seqs = "select array_agg(seq order by partner) from adapter_steps"
    before = await record.fetchval(seqs)
    await erase(record, EMAIL, TENANT, forgotten.others)
    assert await record.fetchval(seqs) == before
    assert await record.fetchval("select count(*) from adapter_steps where untold") == 0


async def test_who_has_not_ended_or_is_somebody_else_stays(record: Pool, forgotten: Forgotten) -> None:
    await accepted(record)
    others = await accepted(record, tenant="other")
    somebody = await accepted(record, "somebody@example.com")
    for one in (others, somebody):
        await end(record, one)
    assert await erase(record, EMAIL, TENANT, forgotten.others) == Erasure(erased=0, not_ended=1)
    assert forgotten.trip_ids == []
    assert await erase(record, EMAIL, None, forgotten.others) == Erasure(erased=1, not_ended=1)
    assert forgotten.trip_ids == [others.trip_id]
    left = "select count(*) from trips where booking::text like $1"
    assert await record.fetchval(left, f"%{NAME}%") == 2


@pytest.mark.parametrize("away", ["temporal", "partner"])
async def test_while_somebody_is_away_nothing_is_erased(
    record: Pool, forgotten: Forgotten, away: str
) -> None:
    await end(record, await accepted(record))
    forgotten.away = away
    with pytest.raises(ConnectionError):
        await erase(record, EMAIL, TENANT, forgotten.others)
    assert EMAIL in (await dumped(record))["trips"]


async def age(record: Pool, trip_id: str) -> None:
    """Have all that is kept of a trip as if it were old."""
    for table, moment in (
        ("trips", "ended_at"),
        ("trip_events", "at"),
        ("attempts", "at"),
        ("trip_messages", "heard_at"),
    ):
        sql = f"update {table} set {moment} = {moment} - interval '400 days' where trip_id = $1"
        await record.execute(sql, trip_id)


async def counted(record: Pool, table: str) -> int:
    count: int = await record.fetchval(f"select count(*) from {table}")
    return count


@pytest.mark.parametrize(
    ("kind", "table"), [("events", "trip_events"), ("attempts", "attempts"), ("messages", "trip_messages")]
)
async def test_what_is_old_goes_and_what_is_new_stays(
    record: Pool, forgotten: Forgotten, kind: str, table: str
) -> None:
    old, new = await accepted(record, choreographed=True), await accepted(record, choreographed=True)
    for one in (old, new):
        await end(record, one)
    await age(record, old.trip_id)
    before = await counted(record, table)
    for keep, left in ((LONG, before), (timedelta(days=300), before // 2)):
        assert not await sweep(record, Keep(**{kind: keep}), forgotten.others)
        assert await counted(record, table) == left
    assert await counted(record, "trips") == 2


async def test_a_trip_without_its_events_still_tells_how_it_ended(record: Pool, forgotten: Forgotten) -> None:
    made = await accepted(record)
    trip = await end(record, made)
    await age(record, made.trip_id)
    kept = [dict(row) for row in await events.newer(record, {made.trip_id: -1})]
    await sweep(record, Keep(events=timedelta(days=1)), forgotten.others)
    assert await counted(record, "trip_events") == 0
    left = [dict(row) for row in await events.newer(record, {made.trip_id: -1})]
    assert left == kept[-1:]
    assert left[0]["is_final"]
    assert left[0]["trip"]["status"] == trip.status
    assert await events.newer(record, {made.trip_id: left[0]["version"]}) == []


async def test_travellers_of_old_trips_go_and_so_do_old_trips_that_were_undone(
    record: Pool, forgotten: Forgotten
) -> None:
    confirmed, undone, new = [await accepted(record) for _ in range(3)]
    under_way = await accepted(record)
    await record.execute("update trips set sending = 'captures' where trip_id = $1", confirmed.trip_id)
    booked = ended(confirmed, TripStatus.CONFIRMED)
    for step in booked.steps:
        step.amount_minor = 1
    assert await trips.save(record, booked, 5) is None
    for one in (undone, new):
        await end(record, one)
    for one in (confirmed, undone, under_way):
        await age(record, one.trip_id)

    async def with_traveller() -> set[str]:
        rows = await record.fetch("select trip_id from trips where booking::text like $1", f"%{NAME}%")
        return {row["trip_id"] for row in rows}

    assert not await sweep(record, Keep(travellers=timedelta(days=300)), forgotten.others)
    assert await with_traveller() == {new.trip_id, under_way.trip_id}
    assert not await sweep(record, Keep(undone=timedelta(days=300)), forgotten.others)
    left = {row["trip_id"] for row in await record.fetch("select trip_id from trips")}
    assert left == {confirmed.trip_id, new.trip_id, under_way.trip_id}
    assert set(forgotten.trip_ids) == set(forgotten.asked) == {confirmed.trip_id, undone.trip_id}


async def test_the_oldest_are_found_by_an_index(full_record: Pool) -> None:
    """However many trips are kept, a turn reads the oldest alone."""
    for sql in (retention._WITH_TRAVELLER, retention._UNDONE):
        plan = await full_record.fetch(f"explain {sql}", LONG, retention.TRIPS)
        assert "Index Scan" in plan[1][0], plan
