"""The attempts of a trip's calls that did not succeed, as the running system shows them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities import journal
from activities.attempt import AttemptFailed, gives_up, unavailable
from record import attempts as record
from record.pool import Pool
from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S
from tests.system.conftest import Orders
from tests.system.written import written_trip
from trials.orders import Json
from trials.traveller import Traveller
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.partner import Partner, Verb

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(system: RunningSystem) -> AsyncIterator[Pool]:
    """The shared system's record."""
    async with system.way.open() as opened:
        yield opened


async def attempts_of(traveller: Traveller, trip_id: str, at_least: int) -> list[Json]:
    """The trip's failed attempts, once there are so many: they are written a moment after they end."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status, page = await traveller.call("GET", f"/trips/{trip_id}/attempts")
            assert status == 200, page
            if len(page["items"]) >= at_least:
                return list(page["items"])
            await asyncio.sleep(0.05)


async def test_a_flight_that_fails_three_times_shows_three_attempts(
    traveller: Traveller, order: Orders
) -> None:
    await traveller.break_partner("flight", error_rate=1, status=503, count=3, verbs=["PUT"])
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "confirmed", trip
    found = await attempts_of(traveller, trip["trip_id"], 3)
    assert [one["attempt"] for one in found] == [1, 2, 3]
    assert {(one["step"], one["verb"], one["outcome"]) for one in found} == {
        ("flight", "reserve", "unanswered")
    }
    assert all("503" in one["error"] and one["took_ms"] >= 0 for one in found)
    due = [one["next_at"] for one in found]
    sent = [one["at"] for one in found]
    assert due == sorted(due) and sent == sorted(sent)
    assert all(later >= due_at for due_at, later in zip(due, sent[1:], strict=False))


async def test_a_refusal_is_the_last_attempt(traveller: Traveller, order: Orders) -> None:
    body = order(payment={"card_token": "tok_declined", "currency": "JPY"})
    trip = await traveller.book(body, wait=60)
    (refused,) = await attempts_of(traveller, trip["trip_id"], 1)
    assert (refused["step"], refused["outcome"], refused["next_at"]) == ("payment", "refused", None)


async def test_a_trip_that_an_open_breaker_fails_says_who_kept_it_out(
    traveller: Traveller, order: Orders, kept_out: str
) -> None:
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "failed"
    (found,) = await attempts_of(traveller, trip["trip_id"], 1)
    assert (found["step"], found["outcome"], found["next_at"]) == (kept_out, "kept_out", None)


async def test_a_trip_that_waits_for_a_breaker_is_one_entry(
    traveller: Traveller, order: Orders, kept_out: str
) -> None:
    trip = await traveller.book(order(when_partner_down="wait"))
    (first,) = await attempts_of(traveller, trip["trip_id"], 1)
    async with asyncio.timeout(PATIENCE_S):
        while (later := (await attempts_of(traveller, trip["trip_id"], 1)))[0]["took_ms"] <= first["took_ms"]:
            await asyncio.sleep(0.05)
    await traveller.override_breaker(kept_out, None)
    assert [(one["at"], one["outcome"]) for one in later] == [(first["at"], "kept_out")]
    assert later[0]["next_at"] > first["next_at"]
    assert (await traveller.until(trip["trip_id"]))["status"] == "confirmed"


async def test_a_trip_without_a_hitch_has_none(traveller: Traveller, pool: Pool, order: Orders) -> None:
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "confirmed", trip
    assert await traveller.call("GET", f"/trips/{trip['trip_id']}/attempts") == (
        200,
        {"items": [], "next_cursor": None},
    )


def failed(attempt: int, at: datetime, outcome: AttemptOutcome = AttemptOutcome.UNANSWERED) -> FailedAttempt:
    """An attempt to hold a hotel that took 10 ms."""
    return FailedAttempt(
        step=Partner("hotel"),
        verb=Verb.RESERVE,
        attempt=attempt,
        at=at,
        took_ms=10,
        outcome=outcome,
        error="answered 503",
        next_at=at + timedelta(seconds=1),
    )


async def test_attempts_come_in_pages_oldest_first(traveller: Traveller, pool: Pool) -> None:
    trip = await written_trip(pool)
    written = [failed(number, NOON + timedelta(seconds=number // 2)) for number in range(7)]
    await record.write(pool, [record.Entry(trip.id, f"{one.attempt}", one) for one in written])
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        status, page = await traveller.call("GET", f"/trips/{trip.id}/attempts?limit=2{cursor}")
        assert status == 200
        seen += [one["attempt"] for one in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert seen == list(range(7))


async def test_an_attempt_that_is_put_off_again_is_brought_up_to_date(pool: Pool) -> None:
    trip = await written_trip(pool)
    looks = [failed(1, NOON + timedelta(seconds=s), AttemptOutcome.PUT_OFF) for s in (0, 5, 9)]
    await record.write(pool, [record.Entry(trip.id, "call", look) for look in looks])
    page = await record.page(pool, trip.id, "default", 10, None)
    assert page is not None
    assert page.items == [looks[2].model_copy(update={"at": NOON, "took_ms": 9010})]


async def test_attempts_are_their_tenants_alone(traveller: Traveller, pool: Pool) -> None:
    trip = await written_trip(pool)
    strange = record.Entry("not-in-the-record", "call", failed(1, NOON))
    await record.write(pool, [strange, record.Entry(trip.id, "call", failed(1, NOON))])
    assert await record.page(pool, trip.id, "another-tenant", 10, None) is None
    status, answer = await traveller.call("GET", "/trips/not-in-the-record/attempts")
    assert (status, answer["code"]) == (404, "unknown_trip")
    for cursor in ("x", "WyJhIiwiYiJd", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwiMSJd"):
        status, answer = await traveller.call("GET", f"/trips/{trip.id}/attempts?cursor={cursor}")
        assert (status, answer["errors"][0]["field"]) == (422, "cursor")


async def test_what_finds_no_room_in_the_journal_is_left_out(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "QUEUE", 3)
    trip = await written_trip(pool)
    kept = journal.Journal(pool)

    def fail() -> None:
        with pytest.raises(AttemptFailed), kept.noting(Verb.RESERVE, Partner("hotel")):
            raise gives_up(unavailable("no\0answer", 1), AttemptOutcome.UNANSWERED)

    for number in range(5):
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, workflow_id=trip.id, activity_id=str(number))
        environment.run(fail)
    with caplog.at_level(logging.WARNING):
        async with kept.writing():
            pass
    page = await record.page(pool, trip.id, "default", 10, None)
    assert page is not None
    assert [one.error for one in page.items] == ["no answer"] * 3
    assert [log.getMessage().split()[0] for log in caplog.records] == ["2"]
