"""Each store against a model in plain Python, over random calls on few keys and scarce stock."""

import asyncio
import random
from typing import Any

import pytest

from partners.store import Refused, Status, UnknownKey
from tests.partners_engines.cases import Case
from tests.partners_engines.engines import Engine, eventually, opened

STEPS = 150
# Each round has keys of its own, and starts with all stock free.
ROUND = 10
# Long enough to be answered before it is over, also on a busy machine.
BRIEF_S = 0.15
CALLS = ("hold", "hold", "hold", "lapse", "confirm", "confirm", "release")
GONE = (Status.RELEASED, Status.EXPIRED)

Model = dict[str, Status]


RACING = 200
"""More callers than a store has connections to its engine."""


def taken(model: Model) -> tuple[int, int]:
    """How many are held and confirmed."""
    return sum(s is Status.HELD for s in model.values()), sum(s is Status.CONFIRMED for s in model.values())


def expected(model: Model, call: str, key: str, fits: int) -> str:
    """What the store must answer; the model moves on as the store must."""
    before = model.get(key)
    if call in {"hold", "lapse"}:
        if before is not None:
            return "closed" if before in GONE else before
        if sum(taken(model)) == fits:
            return "refused"
        model[key] = Status.HELD if call == "hold" else Status.EXPIRED
    elif call == "confirm":
        if before in GONE or before is None:
            return {None: "unknown", Status.RELEASED: "closed", Status.EXPIRED: "expired"}[before]
        model[key] = Status.CONFIRMED
    else:
        model[key] = Status.RELEASED
    return model[key]


async def lapse(store: Any, brief: Any, key: str, body: Any) -> str:
    """Hold for a moment, see that it cannot be confirmed any more, and give it back."""
    reservation, new = await brief.hold(key, body)
    if not new:
        return str(reservation.status)
    while (await store.get(key)).status is Status.HELD:
        await asyncio.sleep(0.002)
    with pytest.raises(Refused, match="in time"):
        await store.confirm(key)
    assert await store.expire_due() == 0  # the confirmation has written it
    return str((await store.get(key)).status)


async def answer(store: Any, brief: Any, call: str, key: str, body: Any) -> str:
    """What the store answers, in the model's words."""
    try:
        if call == "hold":
            return str((await store.hold(key, body))[0].status)
        if call == "lapse":
            return await lapse(store, brief, key, body)
        return str((await getattr(store, call)(key)).status)
    except UnknownKey:
        return "unknown"
    except Refused as refusal:
        return refusal.code if refusal.code in {"closed", "expired"} else "refused"


async def give_back(store: Any, model: Model) -> None:
    """Release all that is held or confirmed."""
    for key, status in model.items():
        if status not in GONE:
            await store.release(key)
            model[key] = Status.RELEASED


async def test_store_follows_the_model(case: Case, engine: Engine) -> None:
    drawn = random.Random(case.service.declaration.name)
    model: Model = {}
    async with (
        opened(case.service, engine, 900) as store,
        opened(case.service, engine, BRIEF_S) as brief,
    ):
        for step in range(STEPS):
            if step % ROUND == 0:
                await give_back(store, model)
            call, key = drawn.choice(CALLS), f"key-{step // ROUND}-{drawn.randrange(4)}"
            want = expected(model, call, key, case.fits)
            assert await answer(store, brief, call, key, case.body) == want, (step, call, key)
            assert await case.stock(store) == taken(model), (step, call, key)
        listed = {entry.key: entry.status for entry in await store.list(None, 500, None)}
        assert listed == model
        for status in Status:
            found = [entry.key for entry in await store.list(status, 500, None)]
            assert found == sorted(key for key, stands in model.items() if stands is status)


async def test_racing_callers_get_exactly_what_is_left(case: Case, engine: Engine) -> None:
    async with opened(case.service, engine, 900) as store:
        for n in range(case.fits - 1):
            await store.hold(f"before-{n}", case.body)

        async def hold(key: str) -> str:
            # Who is not answered in time asks again, as clients do.
            return await eventually(case.service, lambda: answer(store, store, "hold", key, case.body))

        answers = await asyncio.gather(*(hold(f"race-{n}") for n in range(RACING)))
        assert sorted(answers) == ["held"] + ["refused"] * (RACING - 1)
        assert sum(await case.stock(store)) == case.fits


async def test_release_that_races_a_hold_ends_released(case: Case, engine: Engine) -> None:
    async with opened(case.service, engine, 900) as store:
        for n in range(30):
            await asyncio.gather(
                answer(store, store, "hold", f"key-{n}", case.body), store.release(f"key-{n}")
            )
            assert (await store.get(f"key-{n}")).status is Status.RELEASED
        assert await case.stock(store) == (0, 0)
