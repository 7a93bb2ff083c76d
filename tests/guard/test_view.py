"""What a worker meets: a cached view, two of them over one store, and a store that goes away."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from guard import view
from guard.link import Link
from guard.models import Breaker, Override
from guard.permit import BreakerOpen, Kind, Permit
from guard.policy import BreakerPolicy, Outcome, State
from guard.store import Store
from guard.view import Breakers
from tests.guard.fleet import Fleet, execute, migration, new_partner
from tests.guard.own_postgres import OwnPostgres, own_postgres
from tests.patience import PATIENCE_S

POLICY = BreakerPolicy(open_s=600, probe_lease_s=15)
SUCCESS, FAILURE, IGNORED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.IGNORED


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "not within its time"
        await asyncio.sleep(0.005)


async def call(breakers: Breakers, partner: str, outcome: Outcome) -> Permit:
    permit = await breakers.admit(partner)
    await breakers.record(permit, outcome, 0.01, "boom" if outcome is FAILURE else None)
    return permit


async def trip(breakers: Breakers, partner: str) -> None:
    for _ in range(POLICY.min_calls):
        await call(breakers, partner, FAILURE)


def patient(database_url: str, partner: str) -> Breakers:
    """A view that does not take a busy machine for a store that is away."""
    return Breakers(database_url, POLICY, [partner], call_limit_s=10)


@pytest.fixture
def partner() -> str:
    return new_partner()


@pytest.fixture
async def breakers(real_clock_url: str, partner: str) -> AsyncIterator[Breakers]:
    async with patient(real_clock_url, partner) as breakers:
        yield breakers


@pytest.fixture
async def fleet(real_clock_url: str, partner: str) -> AsyncIterator[Fleet]:
    """The store behind the view."""
    connection = await asyncpg.connect(real_clock_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    yield Fleet([connection], POLICY, partner)
    await connection.close(timeout=PATIENCE_S)


async def end_open_time(fleet: Fleet) -> None:
    await fleet.connections[0].execute(
        "update breakers set open_until = breaker_now() where partner = $1", fleet.partner
    )
    await fleet.connections[0].execute("select breaker_notify($1)", fleet.partner)


async def test_a_closed_breaker_lets_in_with_no_round_trip(breakers: Breakers, partner: str) -> None:
    permit = breakers.admitted(partner)
    assert permit is not None
    assert await breakers.admit(partner) is permit
    assert breakers.peek(partner) is None


async def test_the_answer_that_crosses_the_threshold_trips_at_once(breakers: Breakers, partner: str) -> None:
    await trip(breakers, partner)
    assert breakers.admitted(partner) is None
    with pytest.raises(BreakerOpen) as refused:
        await breakers.admit(partner)
    assert refused.value.partner == partner
    assert 590 < refused.value.retry_in_s <= 600
    assert refused.value.open_until is not None


async def test_successes_arrive_in_batches(breakers: Breakers, fleet: Fleet, partner: str) -> None:
    for _ in range(50):
        await call(breakers, partner, SUCCESS)
    await call(breakers, partner, FAILURE)
    assert await fleet.counts() == (51, 1)  # a failure takes the successes before it along
    await call(breakers, partner, SUCCESS)
    deadline = time.monotonic() + 5
    while await fleet.counts() != (52, 1):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_what_is_pending_is_sent_at_the_end(real_clock_url: str, fleet: Fleet, partner: str) -> None:
    async with patient(real_clock_url, partner) as breakers:
        await call(breakers, partner, SUCCESS)
    assert await fleet.counts() == (1, 0)


async def test_a_slow_success_counts_against_the_partner(
    breakers: Breakers, fleet: Fleet, partner: str
) -> None:
    for _ in range(POLICY.min_calls):
        await breakers.record(await breakers.admit(partner), SUCCESS, POLICY.slow_call_s + 1)
    assert await fleet.state() is State.OPEN


async def test_a_new_process_does_not_reset_the_state(
    breakers: Breakers, real_clock_url: str, partner: str
) -> None:
    await trip(breakers, partner)
    async with patient(real_clock_url, partner) as newcomer:
        assert newcomer.admitted(partner) is None
        with pytest.raises(BreakerOpen):
            await newcomer.admit(partner)


async def test_two_views_both_refuse_soon_after_either_trips_it(
    breakers: Breakers, real_clock_url: str, partner: str
) -> None:
    """Failures are spread over both, so neither has seen enough by itself."""
    async with patient(real_clock_url, partner) as other:
        for turn in range(POLICY.min_calls):
            await call((breakers, other)[turn % 2], partner, FAILURE)
        await until(lambda: breakers.peek(partner) is not None and other.peek(partner) is not None)


async def test_of_many_callers_in_many_workers_one_probes(
    breakers: Breakers, fleet: Fleet, real_clock_url: str, partner: str
) -> None:
    await trip(breakers, partner)
    async with AsyncExitStack() as stack:
        others = [patient(real_clock_url, partner) for _ in range(3)]
        views = [breakers, *[await stack.enter_async_context(other) for other in others]]
        await end_open_time(fleet)
        await until(lambda: all(view.peek(partner) is None for view in views))
        asked = await asyncio.gather(
            *(view.admit(partner) for view in views for _ in range(50)), return_exceptions=True
        )
        (probe,) = [permit for permit in asked if isinstance(permit, Permit)]
        assert probe.probe
        assert all(isinstance(refused, BreakerOpen) for refused in asked if refused is not probe)
        await views[1].record(probe, SUCCESS, 0.01)
        await until(lambda: all(view.admitted(partner) for view in views))


async def test_a_late_success_never_overwrites_open(breakers: Breakers, fleet: Fleet, partner: str) -> None:
    early = await breakers.admit(partner)
    await trip(breakers, partner)
    await breakers.record(early, SUCCESS, 0.01)
    await breakers.record(early, FAILURE, 0.01)
    assert await fleet.state() is State.OPEN
    assert await fleet.counts() == (POLICY.min_calls, POLICY.min_calls)


@pytest.mark.parametrize(("override", "let_in"), [("open", False), ("closed", True)])
async def test_a_persons_word_reaches_every_worker(
    breakers: Breakers, fleet: Fleet, partner: str, override: Override, let_in: bool
) -> None:
    if override == "closed":
        await trip(breakers, partner)
    await fleet.store().set_override(partner, override, "because", "ada")
    await until(lambda: (breakers.peek(partner) is None) is let_in)
    assert (breakers.admitted(partner) is not None) is let_in
    if not let_in:
        with pytest.raises(BreakerOpen):
            await breakers.admit(partner, past_breaker=True)


@pytest.mark.parametrize(
    ("outcome", "state"), [(SUCCESS, State.HALF_OPEN), (FAILURE, State.OPEN), (IGNORED, State.OPEN)]
)
async def test_a_call_past_the_breaker_is_at_most_a_sign_of_health(
    breakers: Breakers, fleet: Fleet, partner: str, outcome: Outcome, state: State
) -> None:
    await trip(breakers, partner)
    permit = await breakers.admit(partner, past_breaker=True)
    assert permit.kind is Kind.PAST
    left = await fleet.open_left_s()
    await breakers.record(permit, outcome, 0.01)
    assert await fleet.state() is state
    assert await fleet.open_left_s() <= left


async def test_a_cancelled_caller_does_not_stop_a_statement_that_carries_others(real_clock_url: str) -> None:
    link = Link(real_clock_url, POLICY, lambda: None)
    begun, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def ask(store: Store) -> None:
        begun.set()
        await go.wait()
        done.set()

    caller = asyncio.create_task(link.call(ask, limit_s=30))
    await begun.wait()
    caller.cancel()
    await asyncio.wait({caller})
    go.set()
    await until(done.is_set)
    await link.close()


async def test_an_unknown_partner_is_an_error_of_the_caller(breakers: Breakers) -> None:
    with pytest.raises(KeyError):
        await breakers.admit("nobody")


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="module")
async def own_url(postgres: OwnPostgres) -> str:
    database_url = postgres.database_url
    await execute(database_url, migration("up"))
    return database_url


@pytest.fixture(params=["frozen", "stopped"])
def outage(request: pytest.FixtureRequest, postgres: OwnPostgres) -> Iterator[tuple[Callable[[], None], ...]]:
    """How the store goes away, and how it comes back."""
    away = {"frozen": (postgres.freeze, postgres.thaw), "stopped": (postgres.stop, postgres.start)}
    yield away[request.param]


async def test_a_store_that_goes_away_neither_blocks_nor_fails_a_call(
    own_url: str, partner: str, outage: tuple[Callable[[], None], ...]
) -> None:
    go_away, come_back = outage
    sick = new_partner()
    async with Breakers(own_url, POLICY, [partner, sick]) as breakers:
        await trip(breakers, sick)
        await asyncio.to_thread(go_away)
        try:
            await call(breakers, partner, FAILURE)
            assert breakers.is_local
            refusal = breakers.peek(sick)
            assert refusal is not None and refusal.retry_in_s > 590  # a cached open is honoured
            for _ in range(POLICY.min_calls):  # the first one is on its way to the store
                if not breakers.peek(partner):
                    await call(breakers, partner, FAILURE)
            with pytest.raises(BreakerOpen):  # the local breaker has the same policy
                await breakers.admit(partner)
        finally:
            await asyncio.to_thread(come_back)
        await until(lambda: not breakers.is_local)
        assert breakers.peek(partner) is not None  # the store was told what was counted
        assert breakers.peek(sick) is not None
        async with asyncpg.create_pool(own_url, min_size=1, max_size=1) as pool:
            listed = await Store(pool, POLICY).list_breakers([partner])
        assert listed[0].state is State.OPEN
        assert listed[0].calls in (POLICY.min_calls, POLICY.min_calls + 1)


@contextlib.asynccontextmanager
async def locked(database_url: str, partner: str) -> AsyncIterator[None]:
    """The breaker's row cannot be written, but it can be read."""
    connection = await asyncpg.connect(database_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    try:
        async with connection.transaction():
            await connection.execute("select breaker_lock($1)", partner)
            yield
    finally:
        await connection.close(timeout=PATIENCE_S)


@contextlib.asynccontextmanager
async def slow_commits(database_url: str, seconds: float) -> AsyncIterator[None]:
    """Every commit takes up to so long: it waits for a standby that is asked for and not there."""
    connection = await asyncpg.connect(database_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)

    async def ask_for(standby: str) -> None:
        await connection.execute(f"alter system set synchronous_standby_names = '{standby}'")
        await connection.execute("select pg_reload_conf()")

    async def pulse() -> None:
        while True:
            await ask_for("nobody")
            await asyncio.sleep(seconds)
            await ask_for("")
            await asyncio.sleep(0.02)

    pulsing = asyncio.create_task(pulse())
    try:
        yield
    finally:
        pulsing.cancel()
        await asyncio.wait({pulsing})
        await connection.close(timeout=PATIENCE_S)
        await execute(database_url, "alter system reset synchronous_standby_names", "select pg_reload_conf()")


async def fail_for(breakers: Breakers, partner: str, seconds: float) -> int:
    """Call as often as the breaker lets calls in. Returns how many failed."""
    failed, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        if breakers.peek(partner) is None:
            with contextlib.suppress(BreakerOpen):
                await call(breakers, partner, FAILURE)
                failed += 1
        await asyncio.sleep(0.01)
    return failed


async def counts(database_url: str, partner: str) -> Breaker:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        return (await Store(pool, POLICY).list_breakers([partner]))[0]


async def test_a_row_that_cannot_be_written_lets_no_more_failures_through(own_url: str, partner: str) -> None:
    async with Breakers(own_url, POLICY, [partner]) as breakers:
        async with locked(own_url, partner):
            failed = await fail_for(breakers, partner, 7)
            assert breakers.is_local
            assert breakers.peek(partner) is not None
        await until(lambda: not breakers.is_local)
        assert breakers.peek(partner) is not None  # at no moment it is closed again
    # The local breaker starts without what is on its way, which may be told to it while it opens.
    assert POLICY.min_calls <= failed <= 2 * POLICY.min_calls + 1
    shared = await counts(own_url, partner)
    assert (shared.state, shared.calls) == (State.OPEN, failed)


async def test_commits_that_take_longer_than_a_call_waits_lose_no_count(own_url: str, partner: str) -> None:
    """A disk that takes a second to write: here a commit waits for a standby that is not there."""
    async with Breakers(own_url, POLICY, [partner]) as breakers:
        async with slow_commits(own_url, 1.0):
            failed = await fail_for(breakers, partner, 7)
        assert POLICY.min_calls <= failed <= 2 * POLICY.min_calls + 1
        assert breakers.peek(partner) is not None
    shared = await counts(own_url, partner)
    assert (shared.state, shared.calls) == (State.OPEN, failed)


async def test_successes_and_failures_of_an_outage_are_told_as_they_came(own_url: str, partner: str) -> None:
    """A row of failures after many successes opens the shared breaker, as it opened the local one."""
    async with Breakers(own_url, POLICY, [partner]) as breakers:
        async with locked(own_url, partner):
            await call(breakers, partner, FAILURE)
            assert breakers.is_local
            for _ in range(100):
                await call(breakers, partner, SUCCESS)
            await fail_for(breakers, partner, 1)
            assert breakers.peek(partner) is not None
        await until(lambda: not breakers.is_local)
        assert breakers.peek(partner) is not None


async def test_a_cached_open_ends_at_its_end_though_the_store_is_away(
    own_url: str, partner: str, postgres: OwnPostgres
) -> None:
    policy = BreakerPolicy(open_s=1)
    async with Breakers(own_url, policy, [partner]) as breakers:
        await trip(breakers, partner)
        postgres.freeze()
        try:
            assert breakers.peek(partner) is not None
            await until(lambda: breakers.peek(partner) is None)
            probe = await breakers.admit(partner)
            assert breakers.is_local and probe.local and probe.probe
            with pytest.raises(BreakerOpen):
                await breakers.admit(partner)
            await breakers.record(probe, SUCCESS, 0.01)
            assert (await breakers.admit(partner)).kind is Kind.CALL
        finally:
            postgres.thaw()


async def test_a_worker_starts_without_the_store(partner: str) -> None:
    async with Breakers("postgresql://nobody@127.0.0.1:1/nowhere", POLICY, [partner]) as breakers:
        assert breakers.is_local
        await trip(breakers, partner)
        assert breakers.peek(partner) is not None


async def test_a_fleet_counts_itself(
    real_clock_url: str, partner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "COUNT_EVERY_S", 0)
    name = f"worker-{partner}"
    async with Breakers(real_clock_url, POLICY, [partner], call_limit_s=10, fleet_name=name) as first:
        assert first.fleet == 1
        async with Breakers(real_clock_url, POLICY, [partner], call_limit_s=10, fleet_name=name) as second:
            await until(lambda: (first.fleet, second.fleet) == (2, 2))
        await until(lambda: first.fleet == 1)
