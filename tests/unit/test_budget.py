"""The retry budget: never overdrawn, never a refusal, undos before holds."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.budget import BUCKETS, BudgetPolicy, RetryBudget

# 10 retries a window are free; holds may use 8 of them.
POLICY = BudgetPolicy(ratio=0.2, window_s=10, min_per_s=1, reserve=0.2)
URGENT, HOLD = True, False

events = st.lists(
    st.tuples(st.floats(0, 3), st.sampled_from([None, URGENT, HOLD]), st.integers(1, 12)), max_size=60
)
budget_policies = st.builds(
    BudgetPolicy,
    ratio=st.floats(0, 1),
    window_s=st.floats(1, 60),
    min_per_s=st.floats(2, 20),
    reserve=st.floats(0, 0.5),
)


def granted(budget: RetryBudget, now: float, urgent: bool, asked: int) -> int:
    return sum(budget.ask(now, urgent=urgent) == 0 for _ in range(asked))


@pytest.mark.parametrize(
    "wrong",
    [
        {"ratio": -0.1},
        {"window_s": 0},
        {"min_per_s": 0.01},
        {"reserve": 1},
        {"min_per_s": 0.04, "reserve": 0.5},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BudgetPolicy.model_validate(wrong)


def test_a_fleet_shares_the_floor() -> None:
    assert granted(RetryBudget(POLICY, lambda: 5), 0.0, URGENT, 11) == 2


def test_an_idle_partner_gets_a_retry_however_large_the_fleet() -> None:
    for urgent in (URGENT, HOLD):
        assert granted(RetryBudget(POLICY, lambda: 1000), 0.0, urgent, 11) == 1


def test_the_share_follows_the_fleet() -> None:
    processes = 1
    budget = RetryBudget(POLICY, lambda: processes)
    assert granted(budget, 0.0, URGENT, 5) == 5
    processes = 2
    assert granted(budget, 0.0, URGENT, 5) == 0
    assert granted(budget, 12.0, URGENT, 11) == 5


def test_quiet_traffic_retries_freely() -> None:
    assert granted(RetryBudget(POLICY), 0.0, URGENT, 11) == 10


def test_holds_leave_a_part_to_undos_and_confirmations() -> None:
    budget = RetryBudget(POLICY)
    assert granted(budget, 0.0, HOLD, 20) == 8
    assert granted(budget, 0.0, URGENT, 20) == 2


def test_retries_are_a_fifth_of_the_calls_above_the_floor() -> None:
    budget = RetryBudget(POLICY)
    for _ in range(1_000):
        budget.record_call(0.0)
    assert granted(budget, 0.0, URGENT, 1_000) == 10 + 200


def test_calls_earn_retries_for_a_window_and_no_longer() -> None:
    budget = RetryBudget(POLICY)
    for _ in range(100):
        budget.record_call(0.5)
    in_time = deepcopy(budget)
    assert granted(in_time, 9.5, URGENT, 100) == 10 + 20
    assert granted(budget, 10.5, URGENT, 100) == 10


def test_a_spent_budget_names_the_moment_it_is_free_again() -> None:
    budget = RetryBudget(POLICY)
    granted(budget, 0.5, URGENT, 10)
    wait = budget.ask(0.5, urgent=URGENT)
    assert wait == 10.5
    assert budget.ask(0.5 + wait - 0.01, urgent=URGENT) > 0
    assert budget.ask(0.5 + wait, urgent=URGENT) == 0


def test_a_clock_that_steps_back_stands_still() -> None:
    budget = RetryBudget(POLICY)
    granted(budget, 100.0, URGENT, 10)
    assert 0 < budget.ask(3.0, urgent=URGENT) <= 11


def test_memory_does_not_grow_with_calls() -> None:
    budget = RetryBudget(POLICY)
    for second in range(10_000):
        budget.record_call(float(second))
        budget.ask(float(second), urgent=URGENT)
    assert len(budget._buckets) <= BUCKETS + 1


@settings(max_examples=300)
@given(budget_policies, events)
def test_no_window_that_ends_with_a_retry_holds_more_than_the_budget(
    policy: BudgetPolicy, steps: list[tuple[float, bool | None, int]]
) -> None:
    budget, now = RetryBudget(policy), 0.0
    calls: list[float] = []
    retries: list[float] = []
    for pause, urgent, times in steps:
        now += pause
        for _ in range(times):
            if urgent is None:
                budget.record_call(now)
                calls.append(now)
            elif budget.ask(now, urgent=urgent) == 0:
                retries.append(now)
                start = now - policy.window_s
                used = sum(at > start for at in retries)
                allowed = policy.floor + policy.ratio * sum(at > start for at in calls)
                assert used <= policy.share(urgent=urgent) * allowed * (1 + 1e-12)


@settings(max_examples=300)
@given(budget_policies, events)
def test_a_wait_is_bounded_ends_in_a_retry_and_is_no_longer_for_an_undo(
    policy: BudgetPolicy, steps: list[tuple[float, bool | None, int]]
) -> None:
    budget, now = RetryBudget(policy), 0.0
    for pause, urgent, times in steps:
        now += pause
        for _ in range(times):
            budget.record_call(now) if urgent is None else budget.ask(now, urgent=urgent)
    while (hold_wait := budget.ask(now, urgent=HOLD)) == 0:
        pass
    undo_wait = deepcopy(budget).ask(now, urgent=URGENT)
    longest = policy.window_s * (1 + 1 / BUCKETS)
    assert 0 <= undo_wait <= hold_wait <= longest * (1 + 1e-9)
    # A touch later, since a sum of floats may fall just short of the bucket's edge.
    assert budget.ask(now + hold_wait + 1e-6, urgent=HOLD) == 0
