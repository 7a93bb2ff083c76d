"""What a store does for a choreographed saga, on every engine alike."""

from typing import Any

import pytest

from partners.participant import Noted, Participant, Refusal, Told
from partners.store import Refused, Reservation, Status
from tests.partners.cases import Case
from tests.partners.client import Client, new_key, until
from tests.partners.rows import (
    NOTE,
    OTHER_NOTE,
    REFUSAL,
    asked,
    changed,
    is_closed,
    is_untold,
    stood,
    tell,
    unchanged,
)


async def test_each_change_of_a_noted_row_is_untold(store: Participant[Any], key: str, body: Any) -> None:
    held, new = await store.hold(key, body, NOTE)
    assert new
    assert isinstance(held, Noted)
    assert (held.status, held.note, held.refusal) == (Status.HELD, NOTE, None)
    assert held.seq >= 1
    assert held == await store.written(key)
    assert await is_untold(store, key)

    async def release(key: str) -> Reservation:
        return await store.release(key, OTHER_NOTE)

    for call, status in ((store.confirm, Status.CONFIRMED), (release, Status.RELEASED)):
        before = await tell(store, key)
        row = await call(key)
        await changed(store, key, before)
        assert row == await store.written(key)
        assert row == held.model_copy(update={"status": status, "seq": before + 1})


async def test_a_repeated_call_changes_nothing(store: Participant[Any], key: str, body: Any) -> None:
    await store.hold(key, body, NOTE)
    told = await tell(store, key)
    for note in (NOTE, None, OTHER_NOTE):
        assert await store.hold(key, body, note) == (await store.written(key), False)
    await unchanged(store, key, told)

    await store.confirm(key)
    told = await tell(store, key)
    assert await store.confirm(key) == await store.written(key)
    assert await store.hold(key, body, NOTE) == (await store.written(key), False)
    await unchanged(store, key, told)

    await store.release(key)
    told = await tell(store, key)
    for note in (NOTE, OTHER_NOTE):
        assert await store.release(key, note) == await store.written(key)
    await store.release(key)
    await is_closed(store, key, body)
    await unchanged(store, key, told)
    assert (await stood(store, key)).note == NOTE


async def test_an_expiry_is_untold(store: Participant[Any], brief: Participant[Any], body: Any) -> None:
    key = new_key()
    held, _ = await brief.hold(key, body, NOTE)
    assert isinstance(held, Noted)

    async def expired() -> bool:
        await store.expire_due()
        return (await stood(store, key)).status is Status.EXPIRED

    await until(expired)
    assert await store.written(key) == held.model_copy(update={"status": Status.EXPIRED, "seq": held.seq + 1})
    assert await is_untold(store, key)
    told = await tell(store, key)
    with pytest.raises(Refused):
        await store.confirm(key)
    await store.expire_due()
    await unchanged(store, key, told)
    await store.release(key)
    await changed(store, key, told)


async def test_only_the_told_state_is_marked(store: Participant[Any], body: Any) -> None:
    keys = [new_key() for _ in range(3)]
    for key in keys:
        await store.hold(key, body, NOTE)
    seen = [await stood(store, key) for key in keys]
    await store.release(keys[0])
    assert len(await store.untold(2)) == 2
    await store.mark_told([])
    await store.mark_told([*(Told(row.key, row.seq) for row in seen), Told(new_key(), 1)])
    assert [await is_untold(store, key) for key in keys] == [True, False, False]
    for key in keys:
        await store.release(key)


async def test_calls_without_a_note_stay_silent(store: Participant[Any], key: str, body: Any) -> None:
    held, _ = await store.hold(key, body)
    for row in (held, await store.confirm(key), await store.release(key), await store.release(key)):
        assert type(row) is Reservation
        assert await store.written(key) is None
        assert not await is_untold(store, key)
    await store.mark_told([Told(key, 0)])
    assert await store.written(new_key()) is None


async def test_http_shows_nothing_of_it(store: Participant[Any], client: Client, key: str, body: Any) -> None:
    await store.hold(key, body, NOTE)
    for answer in (await client.get(key), await client.confirm(key), await client.release(key)):
        assert set(answer[1]) == set(Reservation.model_fields)
    assert (await stood(store, key)).status is Status.RELEASED


@pytest.mark.parametrize("call", ["hold", "release", "refuse"])
async def test_a_row_takes_part_from_its_first_note_on(
    store: Participant[Any], key: str, body: Any, call: str
) -> None:
    held, _ = await store.hold(key, body)
    if call == "hold":
        joined: Reservation = (await store.hold(key, body, NOTE))[0]
    else:
        joined = await (store.release(key, NOTE) if call == "release" else store.refuse(key, REFUSAL, NOTE))
    assert isinstance(joined, Noted)
    assert joined == await store.written(key)
    assert joined.status is (Status.RELEASED if call == "release" else Status.HELD)
    assert (joined.reference, joined.note, joined.refusal) == (held.reference, NOTE, None)
    assert joined.seq >= 1
    assert await is_untold(store, key)


async def test_a_released_row_gets_its_first_note(
    case: Case, store: Participant[Any], client: Client
) -> None:
    wanted = case.good()
    before = await case.stock(client, wanted)
    for held in (True, False):
        key = new_key()
        if held:
            await store.hold(key, asked(case, wanted))
        await store.release(key)
        joined = await store.release(key, NOTE)
        assert isinstance(joined, Noted)
        assert (joined.status, joined.note) == (Status.RELEASED, NOTE)
        assert await is_untold(store, key)
    # Nothing was given back twice.
    assert await case.stock(client, wanted) == before


async def test_a_refusal_closes_a_key_never_seen(case: Case, store: Participant[Any], client: Client) -> None:
    key, wanted = new_key(), case.good()
    before = await case.stock(client, wanted)
    refused = await store.refuse(key, REFUSAL, NOTE)
    assert (refused.status, refused.note, refused.refusal) == (Status.RELEASED, NOTE, REFUSAL)
    assert refused.seq >= 1
    assert await is_untold(store, key)
    assert refused == await store.written(key)

    told = await tell(store, key)
    await is_closed(store, key, asked(case, wanted))
    assert await store.refuse(key, Refusal(code="sold_out", message="too late"), OTHER_NOTE) == refused
    assert await store.release(key, OTHER_NOTE) == refused
    await store.release(key)
    await unchanged(store, key, told)
    assert await store.written(key) == refused
    assert await case.stock(client, wanted) == before


async def test_http_shows_a_refused_key_as_closed(
    store: Participant[Any], client: Client, key: str, body: Any
) -> None:
    await store.refuse(key, REFUSAL, NOTE)
    assert (await client.get(key))[1]["status"] == Status.RELEASED


@pytest.mark.parametrize("calls", [("hold",), ("hold", "confirm"), ("release",)])
async def test_a_refusal_leaves_a_known_key_as_it_is(
    store: Participant[Any], key: str, body: Any, calls: tuple[str, ...]
) -> None:
    if "hold" in calls:
        await store.hold(key, body, NOTE)
    if "confirm" in calls:
        await store.confirm(key)
    if "release" in calls:
        await store.release(key, NOTE)
    told = await tell(store, key)
    assert await store.refuse(key, REFUSAL, OTHER_NOTE) == await store.written(key)
    await unchanged(store, key, told)
    row = await stood(store, key)
    assert (row.note, row.refusal) == (NOTE, None)


async def test_a_hold_that_the_partner_refuses_leaves_nothing(
    case: Case, store: Participant[Any], client: Client
) -> None:
    key, (wanted, code) = new_key(), case.refused()
    with pytest.raises(Refused) as refused:
        await store.hold(key, asked(case, wanted), NOTE)
    assert refused.value.code == code
    assert await store.written(key) is None
    assert (await client.get(key))[0] == 404
    row = await store.refuse(key, Refusal(code=code, message=refused.value.message), NOTE)
    assert row.refusal == Refusal(code=code, message=refused.value.message)
