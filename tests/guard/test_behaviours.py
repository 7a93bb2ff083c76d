"""Behaviours that the suites of other breakers hold theirs to, written anew for this one.

Each test names its origin: resilience4j's CircuitBreakerStateMachineTest (R4J), Polly's
CircuitStateControllerTests (POLLY), gobreaker's gobreaker_test.go (GO). Where this breaker differs on
purpose, the test says how.
"""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from guard.models import Override, Tally
from guard.policy import Outcome, State
from guard.store import Store
from tests.guard.fleet import POLICY, Fleet, new_partner

SUCCESS, FAILURE, SLOW, IGNORED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.SLOW, Outcome.IGNORED


async def half_open(fleet: Fleet) -> None:
    await fleet.open()
    await fleet.advance(await fleet.open_left_s())


async def test_a_new_breaker_is_closed_and_empty(fleet: Fleet) -> None:
    """POLLY Ctor_EnsureDefaults, GO TestNewCircuitBreaker."""
    breaker = await fleet.breaker()
    assert (breaker.state, breaker.override, breaker.last_error) == (State.CLOSED, None, None)
    assert (breaker.calls, breaker.failures, breaker.open_until) == (0, 0, None)


async def test_an_open_breaker_keeps_calls_out(fleet: Fleet) -> None:
    """R4J shouldThrowCallNotPermittedExceptionWhenStateIsOpen."""
    await fleet.open()
    assert await fleet.admit() is None


async def test_one_forced_open_keeps_calls_out(fleet: Fleet) -> None:
    """R4J shouldThrowCallNotPermittedExceptionWhenStateIsForcedOpen, POLLY IsolateAsync_Ok."""
    await fleet.store().set_override(fleet.partner, "open", "maintenance", "ada")
    assert await fleet.admit() is None
    await fleet.store().set_override(fleet.partner, None, "done", "ada")
    assert await fleet.admit() is not None


async def test_one_forced_open_does_not_become_half_open_by_itself(fleet: Fleet) -> None:
    """R4J shouldForceOpenCircuitBreaker."""
    await fleet.open()
    await fleet.store().set_override(fleet.partner, "open", "maintenance", "ada")
    await fleet.advance(10 * POLICY.open_s)
    assert await fleet.admit() is None


async def test_one_forced_closed_counts_but_never_trips(fleet: Fleet) -> None:
    """R4J shouldForceCloseCircuitBreaker."""
    await fleet.store().set_override(fleet.partner, "closed", "a false alarm", "ada")
    await fleet.call(*[FAILURE] * 8)
    assert await fleet.counts() == (8, 8)
    assert await fleet.state() is State.CLOSED


async def test_forcing_an_open_one_closed_resets_it(fleet: Fleet) -> None:
    """R4J shouldResetToClosedState, POLLY BreakAsync_Ok."""
    await fleet.open()
    await fleet.store().set_override(fleet.partner, "closed", "it is well", "ada")
    await fleet.store().set_override(fleet.partner, None, "automatic again", "ada")
    assert await fleet.state() is State.CLOSED
    assert await fleet.counts() == (0, 0)


async def test_opens_at_the_failure_rate_once_enough_calls_ended(fleet: Fleet) -> None:
    """R4J shouldOpenAfterFailureRateThresholdExceeded. There the fifth call opens it, though it succeeds."""
    for outcome in (FAILURE, FAILURE, FAILURE, SUCCESS, SUCCESS):
        await fleet.call(outcome)
        assert await fleet.state() is State.CLOSED
    await fleet.call(FAILURE)
    assert await fleet.state() is State.OPEN
    assert await fleet.counts() == (6, 4)


async def test_opens_at_the_rate_of_slow_calls(fleet: Fleet) -> None:
    """R4J shouldOpenAfterSlowCallRateThresholdExceeded; here failed and slow calls make one rate."""
    await fleet.call(FAILURE, SLOW, SUCCESS, SUCCESS)
    assert await fleet.state() is State.CLOSED
    await fleet.call(SLOW)
    assert await fleet.state() is State.OPEN


async def test_a_probe_goes_out_when_the_open_time_is_over_and_not_before(fleet: Fleet) -> None:
    """R4J shouldTransitionToHalfOpenAfterWaitDuration, POLLY OnActionPreExecute_HalfOpen."""
    await fleet.open()
    await fleet.advance(POLICY.open_s - 1)
    assert await fleet.admit() is None
    await fleet.advance(1)
    permit = await fleet.admit()
    assert permit is not None and permit.probe
    assert await fleet.state() is State.HALF_OPEN


async def test_an_open_time_over_alone_does_not_close(fleet: Fleet) -> None:
    """GO TestDefaultCircuitBreaker: 59 s of 60 keep it open; later it is not closed either."""
    await fleet.open()
    await fleet.advance(POLICY.open_s - 1)
    assert await fleet.state() is State.OPEN
    await fleet.advance(1000)
    assert await fleet.state() is not State.CLOSED


async def test_repeated_open_times_grow(fleet: Fleet) -> None:
    """R4J shouldTransitionToHalfOpenAfterWaitInterval,
    POLLY OnActionFailureAsync_EnsureBreakDurationGeneration."""
    await fleet.open()
    assert await fleet.open_left_s() == POLICY.open_s
    for longest in (120, 240, 480, 600, 600):
        await fleet.advance(await fleet.open_left_s())
        await fleet.call(FAILURE)
        assert longest / 2 <= await fleet.open_left_s() <= longest


async def test_no_number_of_open_times_overflows(fleet: Fleet) -> None:
    """POLLY OnActionFailureAsync_EnsureBreakDurationNotOverflow."""
    await half_open(fleet)
    await fleet.connections[0].execute(
        "update breakers set consecutive_opens = 2147483000 where partner = $1", fleet.partner
    )
    await fleet.call(FAILURE)
    assert await fleet.open_left_s() <= POLICY.open_s * POLICY.max_open_factor


async def test_a_failed_probe_opens_again(fleet: Fleet) -> None:
    """POLLY HalfOpen_EnsureCorrectStateTransitionAfterExecution(false), GO TestDefaultCircuitBreaker."""
    await half_open(fleet)
    await fleet.call(FAILURE)
    assert await fleet.state() is State.OPEN
    assert await fleet.admit() is None


async def test_a_successful_probe_closes_and_clears(fleet: Fleet) -> None:
    """POLLY HalfOpen_EnsureCorrectStateTransitionAfterExecution(true), Flow_Closed_HalfOpen_Closed."""
    await half_open(fleet)
    await fleet.call(SUCCESS)
    assert await fleet.state() is State.CLOSED
    assert await fleet.counts() == (0, 0)


async def test_from_closed_round_to_closed(fleet: Fleet) -> None:
    """POLLY Flow_Closed_HalfOpen_Open_HalfOpen_Closed."""
    await half_open(fleet)
    await fleet.call(FAILURE)
    await fleet.advance(await fleet.open_left_s())
    await fleet.call(SUCCESS)
    assert await fleet.causes() == [
        *("failure_rate", "open_time_over", "probe_failed"),
        *("open_time_over", "probe_succeeded"),
    ]


async def test_a_slow_probe_opens_again(fleet: Fleet) -> None:
    """R4J shouldTransitionBackToOpenStateWhenSlowCallRateIsAboveThreshold."""
    await half_open(fleet)
    await fleet.call(SLOW)
    assert await fleet.state() is State.OPEN


async def test_several_probes_are_asked_for_one_after_another(fleet: Fleet) -> None:
    """R4J shouldOnlyPermitFourCallsInHalfOpenState, GO TestCustomCircuitBreaker (MaxRequests 3).

    Theirs run side by side; here the fleet has one probe out at a time, and all have to succeed.
    """
    fleet = replace(fleet, policy=POLICY.model_copy(update={"half_open_calls": 3}), partner=new_partner())
    await half_open(fleet)
    for _ in range(2):
        permit = await fleet.admit()
        assert await fleet.admit() is None
        await fleet.answer(permit, SUCCESS)
        assert await fleet.state() is State.HALF_OPEN
    await fleet.call(SUCCESS)
    assert await fleet.state() is State.CLOSED


async def test_one_failure_among_the_probes_opens_again(fleet: Fleet) -> None:
    """R4J shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold; here the first one is enough."""
    fleet = replace(fleet, policy=POLICY.model_copy(update={"half_open_calls": 3}), partner=new_partner())
    await half_open(fleet)
    await fleet.call(SUCCESS, FAILURE)
    assert await fleet.state() is State.OPEN


async def test_the_window_starts_empty_after_closing(fleet: Fleet) -> None:
    """R4J shouldTransitionBackToClosedStateWhenFailureIsBelowThreshold."""
    await half_open(fleet)
    await fleet.call(SUCCESS, SUCCESS)
    assert await fleet.counts() == (1, 0)


async def test_a_cancelled_probe_gives_its_lease_back(fleet: Fleet) -> None:
    """R4J shouldReleasePermissionWhenExceptionIgnored, shouldIncreaseCounterOnReleasePermission."""
    await half_open(fleet)
    cancelled = await fleet.admit()
    assert await fleet.admit() is None
    await fleet.answer(cancelled, IGNORED)
    assert await fleet.state() is State.HALF_OPEN
    assert await fleet.admit() is not None


async def test_cancelled_probes_do_not_keep_it_from_closing(fleet: Fleet) -> None:
    """R4J shouldIgnoreExceptionsAndThenTransitionToClosed."""
    await half_open(fleet)
    await fleet.call(IGNORED, IGNORED, IGNORED, SUCCESS)
    assert await fleet.state() is State.CLOSED


async def test_nothing_moves_a_closed_one_to_half_open(fleet: Fleet) -> None:
    """R4J shouldNotAllowTransitionFromClosedToHalfOpen."""
    await fleet.call(SUCCESS)
    permit = await fleet.admit()
    await fleet.store().report_health(fleet.partner, healthy=True)
    assert permit is not None and not permit.probe
    assert await fleet.state() is State.CLOSED
    assert await fleet.causes() == []


async def test_the_window_slides(fleet: Fleet) -> None:
    """GO TestRollingWindowCircuitBreaker."""
    await fleet.call(FAILURE, FAILURE)
    await fleet.advance(4)
    await fleet.call(FAILURE, SUCCESS)
    await fleet.advance(5)
    assert await fleet.counts() == (4, 3)
    await fleet.advance(1)
    assert await fleet.counts() == (2, 1)
    await fleet.call(SUCCESS, SUCCESS, FAILURE)
    assert await fleet.state() is State.CLOSED  # two of five: those before the window do not count


async def test_an_answer_of_an_earlier_generation_changes_nothing(fleet: Fleet) -> None:
    """GO TestGeneration."""
    early = await fleet.admit()
    await half_open(fleet)
    await fleet.answer(early, SUCCESS)
    assert await fleet.state() is State.OPEN
    await fleet.call(SUCCESS)
    await fleet.answer(early, FAILURE)
    assert await fleet.counts() == (0, 0)


async def test_no_count_is_lost_among_parallel_callers(fleet: Fleet, hand_clock_url: str) -> None:
    """GO TestCircuitBreakerInParallel: ten callers of a hundred answers each, a connection for each."""
    async with asyncpg.create_pool(hand_clock_url, min_size=10, max_size=10) as pool:

        async def caller() -> None:
            for _ in range(20):
                tally = Tally(1)
                for _ in range(5):
                    tally.add(SUCCESS, None)
                await Store(pool, POLICY).record(fleet.partner, tally)

        await asyncio.gather(*(caller() for _ in range(10)))
    assert await fleet.counts() == (1000, 0)


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE])
@pytest.mark.parametrize("override", ["open", "closed", None])
async def test_answers_leave_an_override_alone(
    fleet: Fleet, override: Override | None, outcome: Outcome
) -> None:
    """POLLY OnActionSuccess_EnsureCorrectBehavior, OnActionFailureAsync_EnsureCorrectBehavior (Isolated)."""
    permit = await fleet.admit()
    await fleet.store().set_override(fleet.partner, override, "because", "ada")
    await fleet.answer(permit, outcome)
    assert (await fleet.breaker()).override == override


async def test_the_last_error_is_kept(fleet: Fleet) -> None:
    """POLLY OnActionPreExecute_CircuitOpenedByException: who is kept out can be told why."""
    await fleet.open()
    assert (await fleet.breaker()).last_error == "boom"
