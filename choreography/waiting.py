"""How long what is heard of a trip waits for more of it, since each write of the trip's row costs. Pure."""

from collections.abc import Sequence
from itertools import chain

from choreography.delivery import Delivery
from choreography.messages import TRIPS, read

_WAITS_S = {"held": 0.2, "tried": 0.2, "captured": 0.2, "confirmed": 0.02}
"""By what a message tells. What is not here waits for nothing."""

_DECIDES = f".{TRIPS}"
_SETTLED = ("trips.captured.", "trips.confirmed.")


def waits_s(messages: Sequence[Delivery]) -> float:
    """How long these messages of one trip may wait for more of it; the last of them has just come.

    The hold of the last partner lets the row decide, so it waits for nothing. Neither does the confirmation
    that completes the trip.
    """
    subject = messages[-1].subject
    if subject.endswith(_DECIDES) or _are_all_settled(messages):
        return 0
    return _WAITS_S.get(subject.split(".")[1], 0)


def _are_all_settled(deliveries: Sequence[Delivery]) -> bool:
    """Whether all partners of the trip tell here that they have confirmed.

    A subject ends in who tells it, so that one message is read, for whom it takes.
    """
    settled = [one for one in deliveries if one.subject.startswith(_SETTLED)]
    if not settled:
        return False
    try:
        stages = read(settled[-1].body).data.slip.stages
    except ValueError:
        return True
    return {one.subject.rpartition(".")[2] for one in settled}.issuperset(chain.from_iterable(stages))
