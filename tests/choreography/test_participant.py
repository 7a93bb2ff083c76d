"""What a partner does with messages beside the table: joins, dead letters, a broker or an engine away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from choreography import telling
from choreography.acting import Answer, Asked, Unanswered
from choreography.delivery import Delivery, TryLater, Unreadable
from choreography.messages import Held, Lapsed, Message, Refused, Slip, Tried
from choreography.outcomes import retry_delay
from choreography.participant import Hearing, durables
from choreography.protocol import Wish
from choreography.relay import look
from partners.participant import Participant
from partners.store import Code
from partners.store import Refused as PartnerRefused
from tests.choreography.partner import BACKOFF, ENGINE_ERRORS, Ear, Engines, Talk, delivery, service_of
from tests.partners.cases import CASES, Case
from tests.partners.client import new_key, until
from tests.partners.rows import MANY, NOTE, is_untold
from tests.partners_engines.engines import opened
from trip.attempts import AttemptOutcome
from trip.partner import PAYMENT, POINTS, Partner, Verb

pytestmark = pytest.mark.server

TOUR, FLIGHT = Partner("tour"), Partner("flight")


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


async def _open(engines: Engines, name: str, hold_s: float = 900) -> AsyncIterator[Participant[Any]]:
    async with opened(service_of(name), await engines.of(name), hold_s) as store:
        yield store


@pytest.fixture(scope="session")
async def points(engines: Engines) -> AsyncIterator[Participant[Any]]:
    async for store in _open(engines, "points"):
        yield store


@pytest.fixture(scope="session")
async def tour(engines: Engines) -> AsyncIterator[Participant[Any]]:
    async for store in _open(engines, "tour"):
        yield store


@pytest.fixture(scope="session")
async def payment(engines: Engines) -> AsyncIterator[Participant[Any]]:
    async for store in _open(engines, "payment"):
        yield store


def _talk(me: Partner) -> Talk:
    return Talk(me, _case(me.value).good(), new_key())


async def test_points_wait_for_every_stay(points: Participant[Any]) -> None:
    ear, talk = Ear(POINTS, points), _talk(POINTS)
    talk.stages = ((TOUR, FLIGHT), (POINTS,), (PAYMENT,))
    for _ in range(2):
        assert await ear.hears(talk.held_by(TOUR, 10_000)) == []
    (told,) = await ear.hears(talk.held_by(FLIGHT, 64_000))
    assert isinstance(told, Held)
    assert told.data.due_minor == 74_000 - 7
    # Each arrival that comes again finds all there.
    (again,) = await ear.hears(talk.held_by(TOUR, 10_000))
    assert again.id == told.id
    assert ear.statuses == [202, 202, 201, 200]
    await points.release(talk.trip_id)


async def test_no_more_points_are_held_than_is_due(points: Participant[Any]) -> None:
    ear, talk = Ear(POINTS, points), _talk(POINTS)
    (told,) = await ear.hears(talk.asks(due_minor=3))
    assert isinstance(told, Held)
    assert (told.data.amount_minor, told.data.due_minor) == (-3, 0)
    await points.release(talk.trip_id)


async def test_with_nothing_due_nothing_is_asked(points: Participant[Any], payment: Participant[Any]) -> None:
    for me, store in ((POINTS, points), (PAYMENT, payment)):
        ear, talk = Ear(me, store), _talk(me)
        (told,) = await ear.hears(talk.asks(due_minor=0))
        assert isinstance(told, Held)
        assert (told.data.reference, told.data.seq, told.data.due_minor) == (None, 0, 0)
        assert await store.written(talk.trip_id) is None
        # An undo before it closed the key, and that is what is told.
        (closed,) = await ear.hears(talk.says(Wish.RELEASE))
        assert [m.id for m in await ear.hears(talk.asks(due_minor=0))] == [closed.id]


async def test_a_token_sealed_for_another_trip_is_refused(payment: Participant[Any]) -> None:
    ear, talk = Ear(PAYMENT, payment), _talk(PAYMENT)
    other = _talk(PAYMENT)
    stolen = other.asks().model_copy(update={"subject": talk.trip_id})
    (told,) = await ear.hears(stolen)
    assert isinstance(told, Refused)
    assert told.data.code == "partner_refused"
    assert "another trip" in told.data.message


async def test_messages_that_do_not_concern_it_are_left_alone(points: Participant[Any]) -> None:
    ear, talk = Ear(POINTS, points), _talk(POINTS)
    own = talk.held_by(POINTS, 3)
    for message in (talk.refused_by(TOUR), own, *(_without(talk, m) for m in (talk.asks(), own))):
        assert await ear.hears(message) == []
    assert await points.written(talk.trip_id) is None
    assert ear.statuses == []


def _without(talk: Talk, message: Message) -> Message:
    """The message of an order that does not ask for points."""
    slip = Slip(stages=((TOUR,), (PAYMENT,)), parts=talk.slip.parts)
    return message.model_copy(update={"data": message.data.model_copy(update={"slip": slip})})


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff", b'{"type": "trips.requested.v2", "subject": "a trip"}']
)
async def test_what_cannot_be_read_is_a_dead_letter_at_once(tour: Participant[Any], body: bytes) -> None:
    with pytest.raises(Unreadable):
        await Ear(TOUR, tour).handle(Delivery("trips.requested", body, "an id", 1, datetime.now(UTC)))


async def test_another_body_is_a_dead_letter_at_once(tour: Participant[Any]) -> None:
    talk = _talk(TOUR)
    await Ear(TOUR, tour).hears(talk.asks())
    other = Talk(TOUR, _case("tour").other(talk.body), talk.trip_id)
    with pytest.raises(Unreadable, match="another body"):
        await Ear(TOUR, tour).hears(other.asks())
    await tour.release(talk.trip_id)


async def test_a_row_is_told_later_if_the_broker_is_away(tour: Participant[Any]) -> None:
    ear, talk = Ear(TOUR, tour), _talk(TOUR)
    ear.broker.away = True
    assert await ear.hears(talk.asks()) == []  # and the message is acknowledged
    seen = await look(TOUR, tour, ear.teller, frozenset())
    assert await look(TOUR, tour, ear.teller, seen)
    assert await is_untold(tour, talk.trip_id)

    ear.broker.away = False
    await look(TOUR, tour, ear.teller, seen)
    told = [message for message in ear.broker.heard if message.subject == talk.trip_id]
    assert [type(message) for message in told] == [Held]
    await look(TOUR, tour, ear.teller, seen)
    assert not await is_untold(tour, talk.trip_id)
    await tour.release(talk.trip_id)


async def test_what_a_crash_left_is_told_once(tour: Participant[Any]) -> None:
    """The process died between commit and telling: nothing remembers, but for the row."""
    crashed, talk = Ear(TOUR, tour), _talk(TOUR)
    answer = await crashed.actor.act(Asked(Wish.HOLD, talk.asks(), 1))
    ear = Ear(TOUR, tour)
    seen = await look(TOUR, tour, ear.teller, frozenset())
    assert talk.trip_id not in {message.subject for message in ear.broker.heard}
    await look(TOUR, tour, ear.teller, seen)
    told = [message for message in ear.broker.heard if message.subject == talk.trip_id]
    assert answer.says is not None
    assert [message.id for message in told] == [answer.says.id]
    for _ in range(2):
        seen = await look(TOUR, tour, ear.teller, seen)
    assert [message for message in ear.broker.heard if message.subject == talk.trip_id] == told
    await tour.release(talk.trip_id)


async def test_a_row_that_changes_between_two_looks_is_left_to_its_handler(tour: Participant[Any]) -> None:
    ear, talk = Ear(TOUR, tour), _talk(TOUR)
    await ear.actor.act(Asked(Wish.HOLD, talk.asks(), 1))
    seen = await look(TOUR, tour, ear.teller, frozenset())
    await ear.actor.act(Asked(Wish.RELEASE, talk.says(Wish.RELEASE), 1))
    seen = await look(TOUR, tour, ear.teller, seen)
    assert talk.trip_id not in {message.subject for message in ear.broker.heard}
    await look(TOUR, tour, ear.teller, seen)
    assert talk.trip_id in {message.subject for message in ear.broker.heard}


async def test_a_row_that_nobody_can_read_stands_before_no_other(tour: Participant[Any]) -> None:
    ear, talk, others = Ear(TOUR, tour), _talk(TOUR), {new_key(), new_key()}
    for key, note in zip(others, ("no note of ours", NOTE), strict=True):
        await tour.release(key, note)
    await ear.actor.act(Asked(Wish.HOLD, talk.asks(), 1))
    seen: frozenset[tuple[str, int]] = frozenset()
    for _ in range(3):
        seen = await look(TOUR, tour, ear.teller, seen)
    assert talk.trip_id in {message.subject for message in ear.broker.heard}
    assert {key for key, _ in seen} >= others
    await tour.release(talk.trip_id)


async def test_an_expiry_is_told_at_the_first_look(tour: Participant[Any], engines: Engines) -> None:
    ear, talk = Ear(TOUR, tour), _talk(TOUR)
    async with opened(service_of("tour"), await engines.of("tour"), 0.1) as brief:
        await Ear(TOUR, brief).hears(talk.asks())

    async def expired() -> bool:
        await tour.expire_due()
        return any(row.key == talk.trip_id and row.status == "expired" for row in await tour.untold(MANY))

    await until(expired)
    await look(TOUR, tour, ear.teller, frozenset())
    (told,) = [message for message in ear.broker.heard if message.subject == talk.trip_id]
    assert isinstance(told, Lapsed)


async def test_more_rows_than_one_batch_are_marked(
    tour: Participant[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "MARKED_AT_ONCE", 2)
    ear, talks = Ear(TOUR, tour), [_talk(TOUR) for _ in range(3)]
    for talk in talks:
        await ear.hears(talk.asks())
    await ear.teller.mark()
    for talk in talks:
        assert not await is_untold(tour, talk.trip_id)
        await tour.release(talk.trip_id)


async def test_a_hold_about_to_be_given_back_is_asked_for_later(
    tour: Participant[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine refuses, but the row still says held: to tell that would be wrong."""
    ear, talk = Ear(TOUR, tour), _talk(TOUR)
    await ear.hears(talk.asks())

    async def expired(_: str) -> None:
        raise PartnerRefused(Code.EXPIRED, "too late")

    with monkeypatch.context() as patched:
        patched.setattr(tour, "confirm", expired)
        with pytest.raises(TryLater, match="about to be given back") as later:
            await ear.hears(talk.says(Wish.CONFIRM))
    assert later.value.after_s == 1
    assert ear.broker.heard == []
    await tour.release(talk.trip_id)


@pytest.mark.parametrize("attempt", [1, BACKOFF.attempts])
async def test_an_attempt_that_fails_is_told(tour: Participant[Any], attempt: int) -> None:
    async def act(_: Asked) -> Answer:
        raise OSError("secret")

    ear, talk = Ear(TOUR, tour), _talk(TOUR)
    handle = Hearing(TOUR, act, ear.teller, BACKOFF, ENGINE_ERRORS).handler("tour-do")
    asks = delivery(talk.asks(), attempt)
    with pytest.raises(TryLater, match="engine is away") as later:
        await handle(asks)
    assert "secret" not in str(later.value)
    (told,) = ear.broker.heard
    assert isinstance(told, Tried)
    failed = told.data.attempt
    assert (failed.step, failed.verb, failed.attempt) == (TOUR, Verb.RESERVE, attempt)
    assert (failed.outcome, failed.error) == (AttemptOutcome.UNANSWERED, str(later.value))
    if attempt == BACKOFF.attempts:
        assert failed.next_at is None
    else:
        assert failed.next_at is not None
        due_s = (failed.next_at - failed.at).total_seconds()
        assert due_s == pytest.approx(retry_delay(BACKOFF, "tour-do", asks), abs=0.5)


async def test_a_retry_after_is_kept_to(tour: Participant[Any]) -> None:
    async def act(_: Asked) -> Answer:
        raise Unanswered("answered 429", after_s=30)

    ear, talk = Ear(TOUR, tour), _talk(TOUR)
    ear.broker.away = True  # the word of an attempt may get lost
    with pytest.raises(TryLater, match="answered 429") as later:
        await Hearing(TOUR, act, ear.teller, BACKOFF, ENGINE_ERRORS).handler("tour-do")(delivery(talk.asks()))
    assert later.value.after_s == 30


def test_each_listens_to_what_can_concern_it() -> None:
    assert durables(TOUR) == {
        "tour-do": ["trips.requested", "trips.captured.>"],
        "tour-undo": [
            "trips.withdrawn",
            *(f"trips.refused.{other}" for other in ("hotel", "flight", "points", "payment")),
        ],
    }
    assert durables(POINTS) == {
        "points-do": ["trips.held.*.points", "trips.captured.>"],
        "points-undo": ["trips.withdrawn", "trips.refused.payment"],
    }
    assert durables(PAYMENT) == {
        "payment-do": ["trips.held.*.payment", "trips.bought"],
        "payment-undo": ["trips.withdrawn"],
    }
