"""The shared record: health checks, late answers, overrides, the log, and the migration's way back."""

from dataclasses import replace

from guard.models import Tally
from guard.policy import Outcome, State
from tests.guard.fleet import (
    POLICY,
    Fleet,
    System,
    drop_schema,
    execute,
    in_schema,
    make_schema,
    migration,
    new_partner,
)

SUCCESS, FAILURE, SLOW, IGNORED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.SLOW, Outcome.IGNORED


async def report(fleet: Fleet, *healthy: bool) -> None:
    for well in healthy:
        await fleet.store().report_health(fleet.partner, well, None if well else "ill")


async def test_ill_reports_in_a_row_open_it(fleet: Fleet) -> None:
    await report(fleet, False, True, False)
    assert await fleet.state() is State.CLOSED
    await report(fleet, False)
    assert await fleet.state() is State.OPEN
    assert await fleet.open_left_s() == POLICY.open_s
    assert await fleet.causes() == ["ill"]


async def test_an_ill_report_renews_the_open_time_and_never_shortens_it(fleet: Fleet) -> None:
    await fleet.open()
    await fleet.advance(50)
    await report(fleet, False)
    assert await fleet.open_left_s() == POLICY.open_s
    await fleet.connections[0].execute(
        "update breakers set open_until = open_until + interval '1 hour' where partner = $1", fleet.partner
    )
    await report(fleet, False)
    assert await fleet.open_left_s() == POLICY.open_s + 3600


async def test_a_healthy_report_lets_a_probe_go_out_early_but_does_not_close(fleet: Fleet) -> None:
    await fleet.open()
    await report(fleet, True)
    assert await fleet.state() is State.HALF_OPEN
    probe = await fleet.admit()
    assert probe is not None and probe.probe
    assert await fleet.admit() is None
    await fleet.answer(probe, SUCCESS)
    assert await fleet.state() is State.CLOSED


async def test_each_failed_probe_asks_for_one_more_healthy_report(fleet: Fleet) -> None:
    """A partner whose health check answers while its calls fail is not probed again and again."""
    await fleet.open()
    for asked_for in (1, 2, 3):
        await report(fleet, *[True] * (asked_for - 1))
        assert await fleet.state() is State.OPEN
        await report(fleet, True)
        assert await fleet.state() is State.HALF_OPEN
        await fleet.call(FAILURE)


async def test_an_ill_report_reopens_an_idle_half_open_one_and_leaves_a_probe_alone(fleet: Fleet) -> None:
    await fleet.open()
    await report(fleet, True)
    probe = await fleet.admit()
    await report(fleet, False)
    assert await fleet.state() is State.HALF_OPEN
    await fleet.answer(probe, IGNORED)
    await report(fleet, False)
    assert await fleet.state() is State.OPEN


async def test_ill_reports_do_not_overrule_a_person(fleet: Fleet) -> None:
    await fleet.store().set_override(fleet.partner, "closed", "the check is wrong", "ada")
    await report(fleet, False, False, False)
    assert await fleet.state() is State.CLOSED


async def test_health_goes_on_beneath_an_override(fleet: Fleet) -> None:
    await fleet.store().set_override(fleet.partner, "open", "maintenance", "ada")
    await report(fleet, False, False)
    await fleet.store().set_override(fleet.partner, None, "done", "ada")
    assert await fleet.state() is State.OPEN
    assert await fleet.admit() is None


async def test_a_late_success_of_a_probe_never_overwrites_open(fleet: Fleet) -> None:
    await fleet.open()
    await fleet.advance(POLICY.open_s)
    slow = await fleet.admit()
    await fleet.advance(POLICY.probe_lease_s)
    fast = await fleet.admit()
    assert slow is not None and fast is not None and slow.version != fast.version
    await fleet.answer(fast, FAILURE)
    await fleet.answer(slow, SUCCESS)
    assert await fleet.state() is State.OPEN


async def test_counts_are_taken_by_a_closed_one_alone(fleet: Fleet) -> None:
    await fleet.open()
    (standing,) = await fleet.store().read_standings([fleet.partner])
    await fleet.store().record(fleet.partner, Tally(standing.version, calls=9, failures=9))
    assert await fleet.counts() == (POLICY.min_calls, POLICY.min_calls)
    assert await fleet.causes() == ["failure_rate"]


def in_a_row(fleet: Fleet) -> Fleet:
    """One that three failures in a row trip, however healthy its window is."""
    return replace(fleet, policy=POLICY.model_copy(update={"failures_in_a_row": 3}))


async def test_a_row_of_failures_trips_it_however_healthy_the_window(fleet: Fleet) -> None:
    fleet = in_a_row(fleet)
    await fleet.store().record(fleet.partner, Tally(1, calls=1000))
    await fleet.call(FAILURE, SLOW, SUCCESS, FAILURE, SLOW, IGNORED)
    assert await fleet.state() is State.CLOSED
    await fleet.call(FAILURE)
    assert await fleet.causes() == ["failures_in_a_row"]


async def test_a_batch_with_a_success_in_it_ends_the_row(fleet: Fleet) -> None:
    fleet = in_a_row(fleet)
    await fleet.store().record(fleet.partner, Tally(1, calls=1000))
    await fleet.call(FAILURE, FAILURE)
    await fleet.store().record(fleet.partner, Tally(1, calls=9, failures=5, slow=3))
    await fleet.call(FAILURE, FAILURE)
    assert await fleet.state() is State.CLOSED
    await fleet.store().record(fleet.partner, Tally(1, calls=2, failures=1, slow=1))
    assert await fleet.state() is State.OPEN


async def test_a_row_starts_again_where_the_breaker_moves(fleet: Fleet) -> None:
    fleet = in_a_row(fleet)
    await fleet.store().record(fleet.partner, Tally(1, calls=1000))
    await fleet.call(FAILURE, FAILURE)
    await report(fleet, False, False, True)
    await fleet.call(SUCCESS)
    await fleet.call(FAILURE, FAILURE)
    assert await fleet.causes() == ["ill", "healthy", "probe_succeeded"]


async def test_a_probe_answers_once(fleet: Fleet) -> None:
    fleet = replace(fleet, policy=POLICY.model_copy(update={"half_open_calls": 2}), partner=new_partner())
    await fleet.open()
    await fleet.advance(POLICY.open_s)
    probe = await fleet.admit()
    await fleet.answer(probe, SUCCESS)
    await fleet.answer(probe, SUCCESS)
    assert await fleet.state() is State.HALF_OPEN


async def test_a_lease_ends_when_its_time_is_over_not_before(fleet: Fleet) -> None:
    await fleet.open()
    await fleet.advance(POLICY.open_s)
    await fleet.admit()
    await fleet.advance(POLICY.probe_lease_s - 1)
    assert await fleet.admit() is None
    await fleet.advance(1)
    assert await fleet.admit() is not None


async def test_the_log_says_who_and_why(fleet: Fleet) -> None:
    await fleet.store().set_override(fleet.partner, "open", "maintenance", "ada")
    await fleet.store().set_override(fleet.partner, None, "done", "bob")
    lifted, forced = await fleet.store().list_events(fleet.partner, 10)
    assert (forced.cause, forced.who, forced.reason) == ("override_open", "ada", "maintenance")
    assert (lifted.cause, lifted.who, lifted.reason) == ("override_lifted", "bob", "done")
    breaker = await fleet.breaker()
    assert (breaker.override, breaker.override_who, breaker.override_reason) == (None, None, None)


async def test_the_log_is_read_in_pages(fleet: Fleet) -> None:
    for number in range(5):
        await fleet.store().set_override(fleet.partner, "open", str(number), "ada")
    first = await fleet.store().list_events(fleet.partner, 3)
    second = await fleet.store().list_events(fleet.partner, 3, before=first[-1].event_id)
    assert [event.reason for event in first + second] == ["4", "3", "2", "1", "0"]


async def test_the_log_keeps_the_last_thousand(fleet: Fleet) -> None:
    await fleet.connections[0].execute(
        """insert into breaker_events (partner, at, from_state, to_state, cause, calls, failures)
           select $1, breaker_now(), 'closed', 'open', 'failure_rate', 5, 5 from generate_series(1, 1500)""",
        fleet.partner,
    )
    await fleet.open()
    kept = await fleet.store().list_events(fleet.partner, 2000)
    assert len(kept) == 1000
    assert kept[0].reason == "boom"


async def test_the_window_stays_small(fleet: Fleet) -> None:
    for _ in range(30):
        await fleet.call(SUCCESS)
        await fleet.advance(1)
    rows = await fleet.connections[0].fetchval(
        "select count(*) from breaker_window where partner = $1", fleet.partner
    )
    assert rows <= 10


async def test_text_that_postgresql_cannot_hold_is_made_to_fit(fleet: Fleet) -> None:
    await fleet.store().report_health(fleet.partner, False, "a\0b" + "x" * 9999)
    assert (await fleet.breaker()).last_error == "ab" + "x" * 498


async def test_one_that_was_never_used_is_listed_as_closed(fleet: Fleet) -> None:
    await fleet.call(SUCCESS)
    unused = new_partner()
    listed = await fleet.store().list_breakers([unused, fleet.partner])
    assert [(breaker.partner, breaker.state, breaker.calls) for breaker in listed] == [
        (unused, State.CLOSED, 0),
        (fleet.partner, State.CLOSED, 1),
    ]


async def test_the_migration_can_be_taken_back(system: System) -> None:
    schema = await make_schema(system.database_url)
    url = in_schema(system.database_url, schema)
    await execute(url, migration("down"), migration("up"), migration("down"))
    await drop_schema(system.database_url, schema)
