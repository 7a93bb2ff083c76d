"""What each message does to each row, and what is told of it, on every engine alike."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from choreography.messages import Captured, Confirmed, Held, Lapsed, Message, Refused, Released
from choreography.protocol import Wish
from partners.participant import Participant
from partners.store import Status
from tests.choreography.partner import DUE, SEAL, Ear, Engines, Talk, service_of
from tests.partners.cases import CASES, Case
from tests.partners.client import new_key, until
from tests.partners.rows import asked
from tests.partners_engines.engines import opened
from trip.partner import PAYMENT, POINTS, Partner

pytestmark = pytest.mark.server

HOLD_S = 900
BRIEF_S = 0.2


class Stores(NamedTuple):
    """One partner's store, and the same with holds that are soon over."""

    case: Case
    store: Participant[Any]
    brief: Participant[Any]


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
async def stores(request: pytest.FixtureRequest, engines: Engines) -> AsyncIterator[Stores]:
    case: Case = request.param
    service, engine = service_of(case.name), await engines.of(case.name)
    async with (
        opened(service, engine, HOLD_S) as store,
        opened(service, engine, BRIEF_S) as brief,
    ):
        yield Stores(case, store, brief)


@pytest.fixture
async def ear(stores: Stores) -> Ear:
    return Ear(Partner(stores.case.name), stores.store)


@pytest.fixture
async def talk(stores: Stores) -> AsyncIterator[Talk]:
    talk = Talk(Partner(stores.case.name), stores.case.good(), new_key())
    yield talk
    await stores.store.release(talk.trip_id)


async def _silently_held(stores: Stores, talk: Talk) -> None:
    await stores.store.hold(talk.trip_id, asked(stores.case, talk.body))


async def _stands(stores: Stores, talk: Talk, standing: str) -> None:
    """Have the row stand so, before the message comes."""
    ear, key = Ear(talk.me, stores.store), talk.trip_id
    match standing:
        case "held" | "confirmed":
            await ear.hears(talk.says(Wish.HOLD))
            if standing == "confirmed":
                await ear.hears(talk.says(Wish.CONFIRM))
        case "refused":
            wanted, _ = stores.case.refused()
            await ear.hears(Talk(talk.me, wanted, key).says(Wish.HOLD))
        case "released":
            await ear.hears(talk.says(Wish.RELEASE))
        case "expired":
            await Ear(talk.me, stores.brief).hears(talk.says(Wish.HOLD))

            async def expired() -> bool:
                await stores.store.expire_due()
                row = await stores.store.written(key)
                return row is not None and row.status is Status.EXPIRED

            await until(expired)
        case "held silently":
            await _silently_held(stores, talk)
        case "released silently":
            await _silently_held(stores, talk)
            await stores.store.release(key)


SETTLED = "settled"
TABLE: dict[tuple[str, Wish], tuple[type[Message] | str | None, Status | None, int]] = {
    ("unknown", Wish.HOLD): (Held, Status.HELD, 201),
    ("unknown", Wish.CONFIRM): (None, None, 404),
    ("unknown", Wish.RELEASE): (Released, Status.RELEASED, 200),
    ("held", Wish.HOLD): (Held, Status.HELD, 200),
    ("held", Wish.CONFIRM): (SETTLED, Status.CONFIRMED, 200),
    ("held", Wish.RELEASE): (Released, Status.RELEASED, 200),
    ("confirmed", Wish.HOLD): (SETTLED, Status.CONFIRMED, 200),
    ("confirmed", Wish.CONFIRM): (SETTLED, Status.CONFIRMED, 200),
    ("confirmed", Wish.RELEASE): (Released, Status.RELEASED, 200),
    ("refused", Wish.HOLD): (Refused, Status.RELEASED, 409),
    ("refused", Wish.CONFIRM): (Refused, Status.RELEASED, 409),
    ("refused", Wish.RELEASE): (Refused, Status.RELEASED, 200),
    ("released", Wish.HOLD): (Released, Status.RELEASED, 409),
    ("released", Wish.CONFIRM): (Released, Status.RELEASED, 409),
    ("released", Wish.RELEASE): (Released, Status.RELEASED, 200),
    ("expired", Wish.HOLD): (Lapsed, Status.EXPIRED, 409),
    ("expired", Wish.CONFIRM): (Lapsed, Status.EXPIRED, 409),
    ("expired", Wish.RELEASE): (Released, Status.RELEASED, 200),
    # These were made over HTTP, and take part from the first message on that gives them a note.
    ("held silently", Wish.HOLD): (Held, Status.HELD, 200),
    ("held silently", Wish.CONFIRM): (None, None, 200),
    ("held silently", Wish.RELEASE): (Released, Status.RELEASED, 200),
    ("released silently", Wish.HOLD): (Released, Status.RELEASED, 409),
    ("released silently", Wish.CONFIRM): (None, None, 409),
    ("released silently", Wish.RELEASE): (Released, Status.RELEASED, 200),
}
"""By how a row stands and what is asked: what is told, how the row stands then, and HTTP's status."""


@pytest.mark.parametrize(("standing", "wish"), TABLE, ids=lambda part: str(part).replace(" ", "-"))
async def test_the_table(stores: Stores, ear: Ear, talk: Talk, standing: str, wish: Wish) -> None:
    tells, status, answered = TABLE[standing, wish]
    if tells is SETTLED:
        tells = Captured if talk.me is PAYMENT else Confirmed
    await _stands(stores, talk, standing)
    talk.again = 7
    told = await ear.hears(talk.says(wish))

    row = await stores.store.written(talk.trip_id)
    assert (row and row.status) == status
    assert [type(message) for message in told] == ([tells] if tells else [])
    for message in told:
        assert row is not None
        assert (message.source, message.subject) == (talk.me.value, talk.trip_id)
        assert message.id == f"{talk.me}/{talk.trip_id}/{row.seq}/n7"
        assert message.data.again == 7
        assert message.data.slip.stages == talk.stages
    # The same again changes nothing, and tells the same.
    assert [type(message) for message in await ear.hears(talk.says(wish))] == [type(m) for m in told]
    assert await stores.store.written(talk.trip_id) == row
    assert ear.statuses == [answered, 200 if answered == 201 else answered]


async def test_a_hold_tells_what_it_holds(stores: Stores, ear: Ear, talk: Talk) -> None:
    (told,) = await ear.hears(talk.says(Wish.HOLD), attempt=2)
    row = await stores.store.written(talk.trip_id)
    assert isinstance(told, Held)
    assert row is not None
    assert (told.data.reference, told.data.expires_at) == (row.reference, row.expires_at)
    assert (told.data.amount_minor, told.data.currency) == (stores.case.amount, "JPY")
    assert (told.data.seq, told.data.attempt) == (row.seq, 2)
    # What comes after is passed on, and nothing else: no card's token, and not the partner's own part.
    assert set(told.data.slip.parts) == ({PAYMENT} - {talk.me})
    assert "tok_visa" not in told.model_dump_json()
    before = {POINTS: DUE, PAYMENT: stores.case.amount}.get(talk.me, 0)
    assert told.data.due_minor == before + stores.case.amount
    if after := told.data.slip.parts.get(PAYMENT):
        assert SEAL.open(after["card_token"], talk.trip_id) == "tok_visa"
    # Told later, after a confirmation that was tried twice, it still says how often the hold was tried.
    await ear.hears(talk.says(Wish.CONFIRM), attempt=2)
    (told,) = await ear.hears(talk.says(Wish.HOLD), attempt=1)
    assert isinstance(told, Confirmed | Captured)
    assert told.data.reference == row.reference


async def test_a_refusal_is_told_and_sticks(stores: Stores, ear: Ear, talk: Talk) -> None:
    wanted, code = stores.case.refused()
    refused = Talk(talk.me, wanted, talk.trip_id)
    for attempt in (1, 2):
        (told,) = await ear.hears(refused.says(Wish.HOLD), attempt)
        assert isinstance(told, Refused)
        assert (told.data.code, told.data.attempt) == (code, 1)
        assert told.data.message
    # What could have been held is not held any more.
    (told,) = await ear.hears(talk.says(Wish.HOLD))
    assert isinstance(told, Refused)
    assert told.data.code == code


async def test_a_part_that_is_none_is_refused(stores: Stores, ear: Ear, talk: Talk) -> None:
    bad = Talk(talk.me, {**talk.body, "surprise": "with love"}, talk.trip_id)
    (told,) = await ear.hears(bad.says(Wish.HOLD))
    assert isinstance(told, Refused)
    assert told.data.code == "partner_refused"
    assert "surprise" in told.data.message
    assert "love" not in told.data.message
