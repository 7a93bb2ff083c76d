"""How a test looks at rows that take part in a choreographed saga."""

from typing import Any

import pytest

from partners.catalogue import PARTNERS
from partners.participant import Noted, Participation, Refusal, Told
from partners.store import Code, Refused, Status
from tests.partners.cases import Case

# A saga without stages: the running partners' relays cannot tell these rows, and leave them untold.
NOTE, OTHER_NOTE = '{"slip": {"stages": [], "parts": {"payment": {"currency": "JPY"}}}}', "another"
REFUSAL = Refusal(code="declined", message="the card's issuer declined")

MANY = 10_000


def asked(case: Case, body: dict[str, Any]) -> Any:
    """The body as the store takes it."""
    return next(partner for partner in PARTNERS if partner.name == case.name).body.model_validate(body)


async def stood(store: Participation[Any], key: str) -> Noted:
    """The row, which must take part."""
    row = await store.written(key)
    assert row is not None
    return row


async def is_untold(store: Participation[Any], key: str) -> bool:
    """Whether the row is untold; if it is, it is listed as it is written."""
    listed = [row for row in await store.untold(MANY) if row.key == key]
    assert not listed or listed == [await store.written(key)]
    return bool(listed)


async def tell(store: Participation[Any], key: str) -> int:
    """Mark the present state as told, and return its seq."""
    row = await stood(store, key)
    await store.mark_told([Told(key, row.seq)])
    assert not await is_untold(store, key)
    return row.seq


async def changed(store: Participation[Any], key: str, before: int) -> None:
    """The row has changed since `before`, once, and nobody was told of it."""
    assert (await stood(store, key)).seq == before + 1
    assert await is_untold(store, key)


async def unchanged(store: Participation[Any], key: str, before: int) -> None:
    """The row is as it was told."""
    assert (await stood(store, key)).seq == before
    assert not await is_untold(store, key)


async def is_closed(store: Participation[Any], key: str, body: Any) -> None:
    """The key is released, and neither hold nor confirmation gets through."""
    assert (await stood(store, key)).status is Status.RELEASED
    for call in (store.hold(key, body, NOTE), store.hold(key, body), store.confirm(key)):
        with pytest.raises(Refused) as refused:
            await call
        assert refused.value.code is Code.CLOSED
