"""What is counted of a trip that has ended, whoever coordinates it."""

ENDED = "trips_ended"
ENDED_SAYS = "Trips that ended, by their final status."
SETTLE = "trips_settle"
SETTLE_SAYS = "Seconds from a trip's acceptance to its end."
UNDO = "trips_undo"
UNDO_SAYS = "Seconds from the decision to undo a trip until all was undone."


def labels(outcome: str, coordination: str) -> dict[str, str]:
    """The labels of each of them."""
    return {"outcome": outcome, "coordination": coordination}
