"""What comes from a person while the saga waits: an operator's order, or an activity failed by hand."""

from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from temporalio.exceptions import ApplicationError

from config.temporal import SharedPydanticConverter
from tests.workflows.machine import Run, Server, next_event
from tests.workflows.search import BOOKING, Ended, faults
from tests.workflows.world import Row, World, away
from trip.calls import PartnerCall
from trip.partner import PARTNER_UNAVAILABLE, Partner, ReservationStatus, Verb
from trip.trip import OperatorOrder, TripStatus, new_trip
from workflows.calls import _reason

HOTEL, FLIGHT = Partner("hotel"), Partner("flight")


def ordered(order: OperatorOrder) -> WorkflowActivationJob:
    """The update that carries an operator's order."""
    job = WorkflowActivationJob()
    job.do_update.id = job.do_update.protocol_instance_id = job.do_update.name = "operate"
    job.do_update.run_validator = True
    job.do_update.input.extend(SharedPydanticConverter().to_payloads([order]))
    return job


def to_the_next_wait(run: Run, *jobs: WorkflowActivationJob) -> None:
    """One workflow task."""
    run.begin_task(*jobs)
    while run.local:
        run.run_local()
    run.end_task()


def unconfirmed(_world: World, verb: Verb, partner: Partner) -> None:
    """Hotel and flight do not answer a confirmation."""
    if verb is Verb.CONFIRM and partner in (HOTEL, FLIGHT):
        raise away()


def refused(world: World, verb: Verb, partner: Partner) -> None:
    """The flight's hold has expired."""
    if (verb, partner) == (Verb.CONFIRM, FLIGHT):
        world.reservations[FLIGHT] = ReservationStatus.EXPIRED


def test_an_order_that_comes_with_a_refusal_settles_no_release() -> None:
    """The trip is undone then, and the hotel has to be released although an operator settled it before."""
    server = Server(BOOKING, World(unconfirmed, Row(trip=new_trip(BOOKING))))
    run = Run(server)
    to_the_next_wait(run, server.start_job())
    while run.trip.status != TripStatus.NEEDS_ATTENTION or len(run.pending) < 2:
        job = next_event(server, run)
        assert job is not None
        to_the_next_wait(run, job)
    server.world.behaviour = refused
    flight = next(a for a in run.pending.values() if a.name == "confirm_flight")
    run.pending = {flight.seq: flight, **run.pending}
    answer = next_event(server, run)
    assert answer is not None
    order = OperatorOrder(step=HOTEL, action="resolve", who="operator", note="by telephone")
    to_the_next_wait(run, ordered(order), answer)
    while run.result is None:
        job = next_event(server, run)
        assert job is not None
        to_the_next_wait(run, job)
    ended = Ended(server, run.result, 0, [])
    assert list(faults(ended)) == []
    assert "release_hotel" in server.world.calls


def test_an_activity_that_somebody_failed_by_hand_has_failed_like_any_other() -> None:
    call = PartnerCall(key="trip", made=2)
    found = _reason(ApplicationError("stopped", "a text", type="by hand"), call)
    assert (found.code, found.attempts, found.final) == (PARTNER_UNAVAILABLE, 3, False)
