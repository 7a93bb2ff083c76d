"""Carries a trip to its end through a lost task, a stale run or a reset, and says what is wrong then."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.workflows.behaviours import START
from tests.workflows.machine import LATE, TAKEN_OVER, TEMPORAL_CANCEL, Run, Server, message, next_event
from tests.workflows.world import Behaviour, Row, World
from trip.examples import example_order
from trip.order import TripOrder
from trip.partner import ReservationStatus
from trip.trip import FINAL_STATUSES, Booking, Links, Takeover, Trip, TripStatus, new_trip

ALL = 1_000
WAITING = -1
_LINKS = Links(self_="/", events="/", temporal_ui="/")
_ORDER = TripOrder.model_validate(example_order(START.date()))
BOOKING = Booking(trip_id="trip", tenant="t", order=_ORDER, accepted_at=START, links=_LINKS)


@dataclass(frozen=True)
class Mishap:
    """The worker is lost after so many local activities, or never.

    `then` is what the next run is told besides, or that the trip is taken over. The lost run goes on for
    `stale_steps` local activities, when the next run has run `stale_at`, or when the next run waits for the
    server. Temporal's own cancel comes with what begins the task `cancelled_with`. `flags` are those of the
    SDK that the workers set.
    """

    lost_after: int | None = None
    then: str | None = None
    stale_at: int = 0
    stale_steps: int = 0
    cancelled_with: int | None = None
    flags: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ended:
    """The server's history and the world, what the workflow returned, and what was wrong on the way."""

    server: Server
    result: Trip
    local_activities: int
    seen: list[str]


def carried_out(
    behaviour: Behaviour, mishap: Mishap, record_away: int = 0, kept_out: int = 0, *, is_late: bool = False
) -> Ended:
    """Book the trip, with one mishap on the way."""
    row = Row(trip=new_trip(BOOKING), is_late=is_late)
    world = World(behaviour, row, record_away=record_away, kept_out=kept_out)
    server = Server(BOOKING, world, mishap.flags)
    run, jobs = Run(server), [server.start_job()]
    done, stale, seen = 0, None, list[str]()
    while True:
        if len(server.tasks) == mishap.cancelled_with:
            jobs = [*jobs, message(TEMPORAL_CANCEL)]
        run.begin_task(*jobs)
        while run.local or done == mishap.lost_after:
            if done == mishap.lost_after and stale is None:
                stale = run
                stale.is_stale = True
                if mishap.then == TAKEN_OVER:
                    server = _taken_over(server)
                    jobs = [server.start_job()]
                run = Run(server)
                run.begin_task(*jobs, *_told(server, mishap.then))
                done = 0
            if stale is not None and done == mishap.stale_at:
                _go_on(stale, mishap.stale_steps)
            if not run.local:
                break
            run.run_local()
            done += 1
        run.end_task()
        if run.result is not None:
            break
        if stale is not None and mishap.stale_at == WAITING:
            _go_on(stale, mishap.stale_steps)
        seen += _lagging(run)
        job = next_event(server, run)
        assert job is not None, f"nothing moves the trip on: {server.world.calls}"
        jobs = [job]
    if stale is not None:
        _go_on(stale, mishap.stale_steps)
        stale.evict()
    run.evict()
    return Ended(server, run.result, done, seen)


def reset(ended: Ended, task: int, then: str | None) -> Ended:
    """Reset the workflow to one of its tasks: the history before it stays, and the world stays as it is."""
    before = ended.server
    server = replace(before, tasks=before.tasks[:task], answers={}, run_id="again")
    run, jobs = Run(server), [*before.tasks[task][0].jobs, *_told(server, then)]
    while run.result is None:
        run.begin_task(*jobs)
        while run.local:
            run.run_local()
        run.end_task()
        if run.result is None:
            job = next_event(server, run)
            assert job is not None, f"nothing moves the trip on: {server.world.calls}"
            jobs = [job]
    run.evict()
    return Ended(server, run.result, 0, [])


def faults(ended: Ended) -> Iterator[str]:
    """What is wrong: the trip is half-booked, or record, partners and workflow tell different stories."""
    yield from ended.seen
    row, world, result = ended.server.world.row, ended.server.world, ended.result
    stand = {partner: world.reservations.get(partner) for partner in _ORDER.partners()}
    if row.status not in FINAL_STATUSES:
        yield f"the record ends {row.status}"
    if row.status is not result.status:
        yield f"the record says {row.status}, the workflow {result.status}"
    if row.status is TripStatus.CONFIRMED:
        whole = ReservationStatus.CONFIRMED
        yield from (f"{name} is {is_}" for name, is_ in stand.items() if is_ is not whole)
        yield from (f"{step.name} has no price" for step in result.steps if step.amount_minor is None)
    else:
        taken = (ReservationStatus.HELD, ReservationStatus.CONFIRMED)
        yield from (f"{name} is {is_}, the trip {row.status}" for name, is_ in stand.items() if is_ in taken)
    if world.is_paid and not world.is_refused_late and row.status is not TripStatus.CONFIRMED:
        yield f"paid for, and {row.status} without a refusal"
    if ended.server.answers.get("cancel") and row.status is TripStatus.CONFIRMED:
        yield "a cancel was accepted, and the trip is confirmed"


def _lagging(run: Run) -> Iterator[str]:
    """While the trip waits, the record shows it as its workflow does."""
    shown, kept = run.trip.status, run.world.row.status
    if shown is not kept and kept not in FINAL_STATUSES and not run.asks_the_record:
        yield f"the record shows {kept} while the workflow is {shown}"


def _told(server: Server, then: str | None) -> list:  # type: ignore[type-arg]
    if then == LATE:
        server.now += timedelta(seconds=BOOKING.order.deadline_s + 1)
        server.world.row.is_late = True
        return []
    return [] if then in (None, TAKEN_OVER) else [message(then)]


def _taken_over(server: Server) -> Server:
    """The workflow was terminated, and another one is started as record and Temporal are found then."""
    trip = server.world.row.trip
    takeover = Takeover(who="test", found="terminated", trip=trip and trip.model_copy(deep=True))
    booking = server.booking.model_copy(update={"takeover": takeover})
    return replace(server, booking=booking, tasks=[], answers={})


def _go_on(stale: Run, steps: int) -> None:
    for _ in range(steps):
        if not stale.local:
            return
        stale.run_local()
