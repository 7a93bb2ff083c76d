"""The guard's one answer: leave, or a refusal with its reason and its wait. The breakers' store is away."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from guard.backoff import BackoffPolicy
from guard.budget import BudgetPolicy
from guard.guard import LONGEST_WAIT_S, Attempt, Call, Guard, Leave, Reason, Refusal
from guard.policy import BreakerPolicy, Outcome
from guard.view import Breakers
from tests.patience import PATIENCE_S

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
BREAKER = BreakerPolicy(min_calls=3)
BACKOFFS = {partner: BackoffPolicy(base_s=1, cap_s=8) for partner in ("here", "there")}
BUDGET = BudgetPolicy(window_s=10, min_per_s=0.5, ratio=0)
HOLD = Call("here", "a-hold", urgent=False)
UNDO = Call("here", "an-undo", urgent=True)
RETRY = Attempt(number=2)


@pytest.fixture
async def breakers() -> AsyncIterator[Breakers]:
    async with Breakers(NOWHERE, BREAKER, list(BACKOFFS)) as breakers:
        yield breakers


@pytest.fixture
def guard(breakers: Breakers) -> Guard:
    return Guard(breakers, BACKOFFS, BUDGET)


async def leave(guard: Guard, call: Call, attempt: Attempt) -> Leave:
    found = await guard.admit(call, attempt)
    assert isinstance(found, Leave), found
    return found


async def refusal(guard: Guard, call: Call, attempt: Attempt) -> Refusal:
    found = await guard.admit(call, attempt)
    assert isinstance(found, Refusal), found
    return found


async def open_breaker(guard: Guard) -> None:
    for _ in range(BREAKER.min_calls):
        await (await leave(guard, HOLD, Attempt())).record(Outcome.FAILURE, 0.01, "boom")


async def test_an_open_breaker_refuses_every_call_and_none_waits_long(guard: Guard) -> None:
    await open_breaker(guard)
    waits = []
    for call in (HOLD, UNDO) * 50:
        refused = await refusal(guard, call, Attempt())
        assert (refused.partner, refused.reason) == ("here", Reason.BREAKER_OPEN)
        waits.append(refused.retry_in_s)
    assert LONGEST_WAIT_S <= min(waits) < max(waits) <= 1.5 * LONGEST_WAIT_S
    assert len(set(waits)) == len(waits)
    assert isinstance(await guard.admit(Call("there", "a-hold", urgent=False), Attempt()), Leave)


async def test_an_operator_lets_a_call_past_an_open_breaker(guard: Guard) -> None:
    await open_breaker(guard)
    await leave(guard, UNDO, Attempt(past_breaker=True))


async def test_a_refusal_by_the_breaker_spends_none_of_the_budget() -> None:
    async with Breakers(NOWHERE, BREAKER.model_copy(update={"open_s": 0.3}), list(BACKOFFS)) as breakers:
        guard = Guard(breakers, BACKOFFS, BUDGET)
        await open_breaker(guard)
        for _ in range(20):
            assert (await refusal(guard, HOLD, RETRY)).reason is Reason.BREAKER_OPEN
        async with asyncio.timeout(PATIENCE_S):
            while guard.look(["here"]):
                await asyncio.sleep(0.01)
        await (await leave(guard, HOLD, RETRY)).record(Outcome.SUCCESS, 0.01)
        for _ in range(3):
            await leave(guard, HOLD, RETRY)
        assert (await refusal(guard, HOLD, RETRY)).reason is Reason.BUDGET_SPENT


async def test_a_spent_budget_puts_off_retries_alone_and_urgent_ones_last(guard: Guard) -> None:
    for _ in range(4):
        await leave(guard, HOLD, RETRY)
    refused = await refusal(guard, HOLD, RETRY)
    assert refused.reason is Reason.BUDGET_SPENT
    assert refused.retry_in_s > 9  # the window's rest, and the backoff on top of it
    await leave(guard, HOLD, Attempt())
    await leave(guard, UNDO, RETRY)
    assert (await refusal(guard, UNDO, RETRY)).reason is Reason.BUDGET_SPENT


async def test_a_partner_has_so_many_places_and_some_are_kept_for_urgent_calls(breakers: Breakers) -> None:
    guard = Guard(breakers, BACKOFFS, BUDGET, calls_at_once=5)
    out = [await leave(guard, HOLD, Attempt()) for _ in range(4)]
    assert (await refusal(guard, HOLD, Attempt())).reason is Reason.NO_PLACE
    out.append(await leave(guard, UNDO, Attempt()))
    assert (await refusal(guard, UNDO, RETRY)).reason is Reason.NO_PLACE
    await leave(guard, Call("there", "a-hold", urgent=False), Attempt())
    for one in out:
        await one.record(Outcome.SUCCESS, 0.01)
    await leave(guard, HOLD, Attempt())


async def test_a_refused_call_keeps_no_place(breakers: Breakers) -> None:
    guard = Guard(breakers, BACKOFFS, BUDGET, calls_at_once=4)
    await open_breaker(guard)
    for _ in range(10):
        assert (await refusal(guard, HOLD, Attempt())).reason is Reason.BREAKER_OPEN


async def test_holds_that_waited_take_turns_and_urgent_calls_go_first(guard: Guard) -> None:
    waited = Attempt(has_waited=True)
    await leave(guard, HOLD, waited)
    refused = await refusal(guard, HOLD, waited)
    assert refused.reason is Reason.NOT_ITS_TURN and 0 < refused.retry_in_s <= 1
    await leave(guard, UNDO, waited)
    await leave(guard, HOLD, Attempt())


async def test_a_look_names_the_partner_that_is_open_and_takes_no_turn_of_a_newcomer(guard: Guard) -> None:
    await open_breaker(guard)
    found = guard.look(["there", "here"])
    assert found is not None and (found.partner, found.reason) == ("here", Reason.BREAKER_OPEN)
    assert guard.look(["there"]) is guard.look(["there"]) is None
    assert guard.look(["there"], has_waited=True) is None
    last = guard.look(["there"], has_waited=True)
    assert last is not None and last.reason is Reason.NOT_ITS_TURN


async def test_the_backoff_is_the_same_in_every_process_and_above_its_floor(
    guard: Guard, breakers: Breakers
) -> None:
    another = Guard(breakers, BACKOFFS, BUDGET)
    for made in (1, 2, 3):
        delay_s = guard.backoff_s(HOLD, made)
        assert 0 < delay_s <= 2 ** (made - 1)
        assert another.backoff_s(HOLD, made) == delay_s != guard.backoff_s(UNDO, made)
        assert guard.backoff_s(HOLD, made, 20) == 20 + delay_s


async def test_a_caller_that_is_cancelled_gives_its_probe_back(
    breakers: Breakers, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, go = asyncio.Event(), asyncio.Event()
    record = breakers.record

    async def slowly(*arguments: object) -> None:
        await go.wait()
        await record(*arguments)  # type: ignore[arg-type]
        told.set()

    monkeypatch.setattr(breakers, "record", slowly)
    caller = asyncio.create_task((await leave(guard, HOLD, Attempt())).record(Outcome.IGNORED, 0.01))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    go.set()
    async with asyncio.timeout(PATIENCE_S):
        await told.wait()
