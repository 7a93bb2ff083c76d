"""What a partner's engine has to do, too, so that the partner can take part in a choreographed saga.

The reservation's row is the outbox and the inbox. As outbox: the row's change and its mark `untold` are one
transaction. As inbox: the key wins or loses once, so that a message that comes twice acts once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pydantic import BaseModel

from partners.store import B_contra, Reservation, Store


class Refusal(BaseModel):
    """Why a hold was refused for good, as the partner keeps it."""

    code: str
    message: str


class Noted(Reservation):
    """A reservation that takes part, as it is written: a hold past its time is held until it is given back.

    `note` is what the caller gave along, a JSON document that the store reads only to erase. `seq` grows with
    each change, so that of two states of a row the later one is known. A key that a refusal closed is
    released and has `refusal`.
    """

    seq: int
    note: str
    refusal: Refusal | None = None


class Told(NamedTuple):
    """A state of a row that others have been told of."""

    key: str
    seq: int


class Participation(Protocol[B_contra]):
    """Rows that can take part, wherever they are kept.

    A row takes part from the first call that gives it a note, and that note stays; HTTP's calls give none.
    From then on each change of the row, an expiry too, raises its `seq` and leaves the row untold, in the
    same transaction. A call that changes nothing leaves both.
    """

    async def hold(self, key: str, body: B_contra, note: str | None = None) -> tuple[Reservation, bool]:
        """As Store.hold. With a note the reservation is Noted."""
        ...

    async def confirm(self, key: str) -> Reservation:
        """As Store.confirm. The reservation is Noted if its row takes part."""
        ...

    async def release(self, key: str, note: str | None = None) -> Reservation:
        """As Store.release. With a note the reservation is Noted; a row that was released before gets it."""
        ...

    async def refuse(self, key: str, refusal: Refusal, note: str) -> Noted:
        """Close a key never seen, and keep why. The first outcome wins: a known key stays as it is.

        A known row without a note gets this one. Returns the row as it then stands.
        """
        ...

    async def written(self, key: str) -> Noted | None:
        """The row of `key`; None if there is none, or if it does not take part."""
        ...

    async def untold(self, limit: int) -> Sequence[Noted]:
        """At most `limit` rows whose present state is not marked as told."""
        ...

    async def mark_told(self, told: Sequence[Told]) -> None:
        """Mark these rows as told, but for those whose `seq` has grown meanwhile."""
        ...

    async def arrive(self, key: str, source: str, word: str) -> Mapping[str, str]:
        """Add the word of one source to what was heard of `key`, and return all of it, by source.

        One atomic step: of two arrivals at once, the later one finds both. The first word of a source stays.
        """
        ...


class Participant(Participation[B_contra], Store[B_contra], Protocol[B_contra]):
    """A store whose rows can take part."""
