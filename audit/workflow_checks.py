"""Checks of Temporal's view against the record, and of who carries a trip that has not ended."""

from datetime import timedelta

from audit.facts import Facts, TripFact
from audit.tally import Check, Tally
from temporal.workflows import GOES_ON, WorkflowState
from trip.trip import TripStatus

OVERDUE = timedelta(minutes=10)
"""How long after its deadline a trip may still be on its way back before somebody should look."""

CLOSING = timedelta(minutes=2)
"""How long a workflow may go on after the record has the trip's end."""


def _ended(facts: Facts, tally: Tally) -> None:
    for trip in facts.unfinished:
        state = facts.workflows.get(trip.trip_id)
        if state is None:
            continue
        tally.judged += 1
        is_owed = state is WorkflowState.MISSING and not trip.started
        if state not in GOES_ON and not is_owed:
            problem = f"the trip is {trip.status}, but its workflow is {state}: nobody carries it to an end"
            tally.wrong(trip.trip_id, problem, f"python -m record restart {trip.trip_id}")


def _still_running(facts: Facts, tally: Tally) -> None:
    for trip in facts.settled:
        tally.judged += 1
        late = facts.now - trip.updated_at > CLOSING
        state = facts.workflows.get(trip.trip_id)
        if late and state in GOES_ON:
            problem = f"the record says {trip.status}, but its workflow is {state}"
            remedy = f"temporal workflow describe -w {trip.trip_id}"
            tally.wrong(trip.trip_id, problem, remedy)


def _recorded(facts: Facts, tally: Tally) -> None:
    tally.judged = len(facts.workflows)
    for workflow_id, state in facts.workflows.items():
        if not facts.has_record(workflow_id):
            problem = f"a workflow BookTrip is {state}, but the record has no such trip"
            remedy = (
                f"GET /reservations/{workflow_id} at each partner, release what is left, then terminate "
                "the workflow if it runs; or restore the row from a backup"
            )
            tally.wrong(workflow_id, problem, remedy)


def _overdue(facts: Facts, tally: Tally) -> None:
    for trip in facts.unfinished:
        state = facts.workflows.get(trip.trip_id)
        is_carried = trip.is_choreographed or state in GOES_ON
        if not is_carried or trip.status == TripStatus.NEEDS_ATTENTION:
            continue
        tally.judged += 1
        deadline = trip.accepted_at + timedelta(seconds=trip.deadline_s)
        if facts.now - deadline > OVERDUE:
            problem = f"the trip is still {trip.status}; its deadline was {deadline:%Y-%m-%d %H:%M:%S} UTC"
            tally.wrong(trip.trip_id, problem, _look_at(trip, state))


def _untold(facts: Facts, tally: Tally) -> None:
    for trip in facts.unfinished:
        if trip.decided_at is None or trip.status == TripStatus.NEEDS_ATTENTION:
            continue
        tally.judged += 1
        if facts.now - trip.decided_at > OVERDUE:
            problem = f"the trip is still {trip.status}; its row decided at {trip.decided_at:%H:%M:%S} UTC"
            tally.wrong(trip.trip_id, problem, _look_at(trip, None))


def _look_at(trip: TripFact, state: WorkflowState | None) -> str:
    if trip.is_choreographed:
        return "see that the process `trips` runs: it tells again, and says what needs attention"
    verb = "unpause" if state is WorkflowState.PAUSED else "describe"
    return f"temporal workflow {verb} -w {trip.trip_id}"


WORKFLOW_CHECKS = (
    Check("workflow_ended", "no trip that is not final has lost its workflow", _ended),
    Check("workflow_running", "no trip that is final has a workflow that goes on", _still_running),
    Check("without_record", "each workflow has a trip in the record", _recorded),
    Check("overdue", "no trip is under way long past its deadline", _overdue),
    Check("untold_old", "no choreographed trip waits long for what its row has decided", _untold),
)
