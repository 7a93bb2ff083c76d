"""The pure policy, the local breaker, and that the database's formulas are the same ones."""

import itertools

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.local import LocalBreaker
from guard.policy import (
    BreakerPolicy,
    Outcome,
    State,
    next_in_a_row,
    next_open_s,
    should_trip,
    with_duration,
)
from tests.patience import PATIENCE_S

policies = st.builds(
    BreakerPolicy,
    min_calls=st.integers(1, 50),
    failure_rate=st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.6, 0.75, 1.0]),
    open_s=st.floats(0.1, 3600),
    max_open_factor=st.floats(2, 100),
)
jitters = st.floats(0, 1, exclude_max=True)
COUNTED = (Outcome.SUCCESS, Outcome.FAILURE, Outcome.SLOW)


def test_only_a_success_can_be_slow() -> None:
    policy = BreakerPolicy(slow_call_s=5)
    assert with_duration(Outcome.SUCCESS, 5.0, policy) is Outcome.SUCCESS
    assert with_duration(Outcome.SUCCESS, 5.01, policy) is Outcome.SLOW
    assert with_duration(Outcome.FAILURE, 60, policy) is Outcome.FAILURE
    assert with_duration(Outcome.IGNORED, 60, policy) is Outcome.IGNORED


@given(policies, jitters)
def test_the_first_open_time_is_exact(policy: BreakerPolicy, jitter: float) -> None:
    assert next_open_s(policy, 1, jitter) == policy.open_s


@given(policies, st.integers(2, 5000), jitters)
def test_repeated_open_times_are_longer_and_capped(policy: BreakerPolicy, opens: int, jitter: float) -> None:
    longest = policy.open_s * min(policy.max_open_factor, 2.0 ** min(opens - 1, 30))
    assert longest / 2 <= next_open_s(policy, opens, jitter) <= longest
    assert next_open_s(policy, opens, jitter) >= policy.open_s


@pytest.mark.parametrize(
    "wrong", [{"failure_rate": 0}, {"failure_rate": 1.1}, {"min_calls": 0}, {"open_s": -1}]
)
def test_a_senseless_policy_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BreakerPolicy.model_validate(wrong)


async def test_the_database_opens_for_as_long_as_the_policy_says(real_clock_url: str) -> None:
    policy = BreakerPolicy(open_s=3, max_open_factor=10)
    cases = [(opens, jitter) for opens in range(60) for jitter in (0.0, 0.25, 0.999)]
    connection = await asyncpg.connect(real_clock_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    rows = await connection.fetch(
        """select breaker_open_s(jsonb_populate_record(null::breaker_policy, $1::text::jsonb), o, j) as s
           from unnest($2::int[], $3::float8[]) with ordinality as c (o, j, n) order by n""",
        policy.model_dump_json(),
        [opens for opens, _ in cases],
        [jitter for _, jitter in cases],
    )
    await connection.close()
    assert [row["s"] for row in rows] == pytest.approx([next_open_s(policy, *case) for case in cases])


async def test_the_database_trips_when_the_policy_says(real_clock_url: str) -> None:
    policy = BreakerPolicy(min_calls=5, failure_rate=0.6, failures_in_a_row=3)
    cases = list(itertools.product(range(12), range(4), range(4), range(5)))
    connection = await asyncpg.connect(real_clock_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    rows = await connection.fetch(
        """select breaker_should_trip(jsonb_populate_record(null::breaker_policy, $1::text::jsonb),
                                      calls, failures, slow, in_a_row) as trips
           from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
               with ordinality as c (calls, failures, slow, in_a_row, n) order by n""",
        policy.model_dump_json(),
        *([case[place] for case in cases] for place in range(4)),
    )
    await connection.close()
    assert [row["trips"] for row in rows] == [should_trip(policy, *case) for case in cases]


async def test_the_database_counts_in_a_row_as_the_policy_says(real_clock_url: str) -> None:
    cases = list(itertools.product((0, 1, 7), range(6), range(3), range(3)))
    connection = await asyncpg.connect(real_clock_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    rows = await connection.fetch(
        """select breaker_next_in_a_row(in_a_row, calls, failures, slow) as next
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
               with ordinality as c (in_a_row, calls, failures, slow, n) order by n""",
        *([case[place] for case in cases] for place in range(4)),
    )
    await connection.close()
    assert [row["next"] for row in rows] == [next_in_a_row(*case) for case in cases]


@given(st.lists(st.lists(st.sampled_from(COUNTED), min_size=1, max_size=6), max_size=20))
def test_batches_never_make_a_row_longer_than_it_was(batches: list[list[Outcome]]) -> None:
    """Whatever the order within each batch was, and exactly right where each holds one answer."""
    in_a_row, single = 0, 0
    for batch in batches:
        in_a_row = next_in_a_row(
            in_a_row, len(batch), batch.count(Outcome.FAILURE), batch.count(Outcome.SLOW)
        )
        for outcome in batch:
            single = next_in_a_row(single, 1, outcome is Outcome.FAILURE, outcome is Outcome.SLOW)
    answers = [outcome for batch in batches for outcome in batch]
    row = list(itertools.takewhile(lambda outcome: outcome is not Outcome.SUCCESS, reversed(answers)))
    assert in_a_row <= len(row)
    assert single == len(row)


def test_the_local_breaker_trips_probes_and_closes() -> None:
    local = LocalBreaker(BreakerPolicy(open_s=60, probe_lease_s=15))
    for _ in range(5):
        local.record(local.version, Outcome.FAILURE, 100.0, 0.5)
    assert local.refused_for(100.0) == 60
    assert local.admit(159.9) is None
    probe = local.admit(160.0)
    assert probe == (local.version, True)
    assert local.admit(174.9) is None  # one probe at a time
    local.record(probe[0], Outcome.SUCCESS, 161.0, 0.5)
    assert local.state is State.CLOSED
    assert local.counts(161.0) == (0, 0, 0)


def test_a_success_never_trips_the_local_breaker() -> None:
    local = LocalBreaker(BreakerPolicy())
    for outcome in [Outcome.FAILURE] * 3 + [Outcome.SUCCESS] * 2:
        local.record(local.version, outcome, 100.0, 0.5)
        assert local.state is State.CLOSED
    local.record(local.version, Outcome.FAILURE, 100.0, 0.5)
    assert local.state is State.OPEN


def test_a_row_of_failures_trips_the_local_breaker_however_healthy_the_window() -> None:
    local = LocalBreaker(BreakerPolicy(failures_in_a_row=3))
    for outcome in [Outcome.SUCCESS] * 100 + [Outcome.FAILURE, Outcome.SLOW]:
        local.record(local.version, outcome, 100.0, 0.5)
    local.record(local.version, Outcome.IGNORED, 100.0, 0.5)
    assert local.refused_for(100.0) == 0
    local.record(local.version, Outcome.FAILURE, 100.0, 0.5)
    assert local.state is State.OPEN


def test_a_local_probe_that_never_answers_gives_way() -> None:
    local = LocalBreaker(BreakerPolicy(probe_lease_s=15), State.OPEN, open_until=10.0, opens=1)
    first = local.admit(10.0)
    second = local.admit(25.0)
    assert first and second and second[0] != first[0]
    local.record(first[0], Outcome.SUCCESS, 26.0, 0.5)
    assert local.version == second[0]
    local.record(second[0], Outcome.FAILURE, 26.0, 0.0)
    assert local.state is State.OPEN
    assert local.refused_for(26.0) == local.policy.open_s  # the second time: 1200 s, half of it jitter


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(Outcome)), max_size=60))
def test_the_local_window_forgets_what_is_older(answers: list[tuple[int, Outcome]]) -> None:
    policy = BreakerPolicy(window_s=10, min_calls=10_000, failures_in_a_row=10_000)
    local, now, seen = LocalBreaker(policy), 0, []
    for pause, outcome in answers:
        now += pause
        local.record(local.version, outcome, float(now), 0.0)
        seen.append((now, outcome))
    live = [outcome for at, outcome in seen if at > now - 10 and outcome is not Outcome.IGNORED]
    assert local.counts(float(now)) == (len(live), live.count(Outcome.FAILURE), live.count(Outcome.SLOW))
