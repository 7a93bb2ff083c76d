"""How many calls to one partner are out at once, so that a slow one takes no room from the others.

A part of the room is kept for urgent calls: undos and confirmations.
"""

CALLS_AT_ONCE = 50
RESERVE = 0.2


class Bulkhead:
    """The places for calls to one partner, in one process."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._taken = 0

    def take(self, *, urgent: bool) -> bool:
        """Whether there was a place. It is then taken, until `give_back`."""
        most = self._places if urgent else max(1, round(self._places * (1 - RESERVE)))
        if self._taken >= most:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """The call is over."""
        self._taken -= 1
