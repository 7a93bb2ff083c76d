"""Every engine does what the table says, with which the search of the saga works."""

import asyncio
from contextlib import suppress
from typing import Any

from partners.participant import Noted, Participant
from partners.store import Refused, UnknownKey
from tests.choreography.store_model import Call, Path, Standing, after, paths
from tests.partners.cases import Case
from tests.partners.client import new_key, until
from tests.partners.rows import NOTE, REFUSAL, asked

AT_ONCE = 10
"""More would wait for the engine's connections until their time is over."""

REACHED_BY = {
    Standing.HELD: Call.HOLD,
    Standing.CONFIRMED: Call.CONFIRM,
    Standing.RELEASED: Call.RELEASE,
    Standing.REFUSED: Call.REFUSE,
    Standing.EXPIRED: Call.EXPIRE,
}


async def test_an_engine_does_what_the_table_says(
    case: Case, store: Participant[Any], brief: Participant[Any]
) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def agrees(path: Path, what: Call) -> None:
        async with places:
            await agreed(path, what)

    async def agreed(path: Path, what: Call) -> None:
        key, calls = new_key(), [*(REACHED_BY[standing] for standing in path), what]
        is_brief = Call.EXPIRE in calls and calls.index(Call.EXPIRE) == 1
        holding, body = (brief if is_brief else store), asked(case, case.good())

        async def expired() -> bool:
            await store.expire_due()
            return standing_of(await store.written(key)) is not Standing.HELD

        async def do(call: Call) -> Noted | None:
            with suppress(Refused, UnknownKey):
                if call is Call.HOLD:
                    await holding.hold(key, body, NOTE)
                elif call is Call.CONFIRM:
                    await store.confirm(key)
                elif call is Call.RELEASE:
                    await store.release(key, NOTE)
                elif call is Call.REFUSE:
                    await store.refuse(key, REFUSAL, NOTE)
                elif is_brief:
                    await until(expired)
                else:
                    await store.expire_due()
            return await store.written(key)

        row = None
        for one in calls[:-1]:
            row = await do(one)
        before = path[-1] if path else Standing.ABSENT
        if is_brief and before is Standing.HELD and standing_of(row) is Standing.EXPIRED:
            return  # on a slow machine the hold was over before it could be looked at
        assert standing_of(row) is before, (path, row)
        seq = row.seq if row else 0

        row = await do(what)
        then = after(before, what)
        assert standing_of(row) is then, (path, what, row)
        assert ((row.seq if row else 0) > seq) is (then is not before), (path, what, row)
        await store.release(key)

    await asyncio.gather(*(agrees(path, what) for path in paths() for what in Call))


def standing_of(row: Noted | None) -> Standing:
    """Where the row stands, in the table's words."""
    if row is None:
        return Standing.ABSENT
    return Standing.REFUSED if row.refusal else Standing(row.status)
