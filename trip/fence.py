"""The marks in a trip's row, which decide for every run of the trip whether it is captured or undone."""

from enum import StrEnum

from pydantic import BaseModel

from trip.partner import DEADLINE_EXCEEDED, Partner
from trip.trip import Failure, Trip, TripStatus


class Mark(StrEnum):
    """How far the trip has come. No mark yet: nothing was sent."""

    BEGUN = "begun"
    """Holds may have been sent."""
    BARRED = "barred"
    """Nothing was sent, nor will be."""
    UNDONE = "undone"
    """Nothing more is sent but releases."""
    CAPTURES = "captures"
    """The capture is decided: the trip is seen through."""


class Ending(BaseModel):
    """How a trip ends that is undone, and why."""

    status: TripStatus
    failure: Failure | None = None


def deadline_exceeded(step: Partner) -> Failure:
    """Why a trip fails whose `step` was not held before the deadline."""
    message = "the trip was not held in full before its deadline"
    return Failure(step=step, code=DEADLINE_EXCEEDED, message=message)


def failed(failure: Failure) -> Ending:
    """The ending of a trip that fails."""
    return Ending(status=TripStatus.FAILED, failure=failure)


class Standing(BaseModel):
    """What the row says.

    `version` is the greatest that the row has. `ending` is given if the mark is BARRED or UNDONE: that of the
    run which set the mark. `trip` is what the record shows, given if another run has gone further than BEGUN.
    """

    mark: Mark
    version: int = 0
    ending: Ending | None = None
    trip: Trip | None = None


class Barring(BaseModel):
    """A run is to undo the trip. `sent`: the run has sent holds that the row may know nothing of.

    `after_capture`: a confirmation was refused, so that not even a decided capture stands.
    """

    trip_id: str
    ending: Ending
    sent: bool = False
    after_capture: bool = False
