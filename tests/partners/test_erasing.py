"""Taking a traveller out of reservations, on every engine alike."""

import json
from typing import Any

import pytest

from partners.participant import Participant, Refusal
from partners.store import Status
from tests.partners.cases import Case
from tests.partners.client import Client, new_key
from tests.partners.rows import NOTE, is_untold, stood, tell

OTHERS = {"points": {"member_id": "M-1001"}, "payment": {"card_token": "sealed:v1:x"}}
ASKS = json.dumps({"slip": {"stages": [], "parts": OTHERS}, "due_minor": 5})
LEFT = {"slip": {"stages": [], "parts": {}}, "due_minor": 5}


@pytest.mark.parametrize("settle", [Client.confirm, Client.release])
async def test_what_was_booked_stays(case: Case, client: Client, settle: Any) -> None:
    key, body = new_key(), case.good()
    await client.put(key, body)
    await settle(client, key)
    settled, stock = await client.get(key), await case.stock(client, body)
    for _ in range(2):
        assert await client.call("POST", f"/reservations/{key}/erase") == (204, None)
    assert (await client.get(key), await case.stock(client, body)) == (settled, stock)
    await settle(client, key)
    assert (await client.get(key), await case.stock(client, body)) == (settled, stock)


async def test_a_key_never_seen_stays_so(client: Client) -> None:
    key = new_key()
    assert await client.call("POST", f"/reservations/{key}/erase") == (204, None)
    assert (await client.get(key))[0] == 404


@pytest.mark.parametrize("told", [True, False])
async def test_a_row_forgets_what_others_were_asked(
    store: Participant[Any], key: str, body: Any, told: bool
) -> None:
    await store.hold(key, body, ASKS)
    await store.confirm(key)
    if told:
        await tell(store, key)
    before = await stood(store, key)
    await store.erase(key)
    after = await stood(store, key)
    assert json.loads(after.note) == LEFT
    assert after.model_copy(update={"note": before.note, "seq": before.seq}) == before
    assert await is_untold(store, key) is not told


async def test_a_refusal_keeps_its_code_alone(store: Participant[Any], key: str) -> None:
    await store.refuse(key, Refusal(code="declined", message="Ada Lovelace has no money"), NOTE)
    await store.erase(key)
    row = await stood(store, key)
    assert (row.status, row.refusal) == (Status.RELEASED, Refusal(code="declined", message="erased"))
