"""What a message does in a partner's store, and what the partner has to tell of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from choreography.delivery import Delivery, TryLater, Unreadable
from choreography.messages import HeldData, Message, read, reason
from choreography.protocol import Due, Note, Wish, body, due, note, nothing_asked, tells, wish
from choreography.sealing import Seal
from partners.app import SWEEP_INTERVAL_S
from partners.participant import Noted, Participation, Refusal
from partners.store import Code, DifferentBody, Refused, Reservation, Status, UnknownKey
from trip.partner import PARTNER_REFUSED, PARTNER_UNAVAILABLE, Partner, declared


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks of the partner, at which attempt. Attempts before it was told again count."""

    wish: Wish
    message: Message
    attempt: int

    @property
    def key(self) -> str:
        """The trip's id, which is the reservation's key."""
        return self.message.subject


@dataclass(frozen=True, slots=True)
class Answer:
    """The status that the same call over HTTP would have been answered with, and what is to be told.

    202 if the partner waits for others of the stage before.
    """

    status: int
    says: Message | None = None


class Unanswered(Exception):
    """An attempt that did not succeed. The next one follows after `after_s` seconds at the least.

    `code` is that of the step's failure if no other attempt follows.
    """

    def __init__(self, message: str, after_s: float | None = None, code: str = PARTNER_UNAVAILABLE) -> None:
        super().__init__(message)
        self.after_s = after_s
        self.code = code


Act = Callable[[Asked], Awaitable[Answer]]


def understood(me: Partner, delivery: Delivery) -> Asked | None:
    """What a message asks of me. None if it does not concern me. Raises Unreadable."""
    try:
        message = read(delivery.body)
        wanted = wish(me, message)
    except ValueError as error:
        raise Unreadable(reason(error)) from error
    if wanted is None:
        return None
    return Asked(wanted, message, message.data.made.get(me, 0) + delivery.attempt)


@dataclass(frozen=True)
class Actor:
    """Acts in the partner's store. `seal` opens the card's token; only the payment partner has one."""

    me: Partner
    store: Participation[Any]
    seal: Seal | None = None

    async def act(self, asked: Asked) -> Answer:
        """Do what is asked, however often. Raises what the store's engine does, TryLater and Unreadable."""
        acts = {Wish.HOLD: self._hold, Wish.CONFIRM: self._confirm, Wish.RELEASE: self._release}
        return await acts[asked.wish](asked)

    async def _hold(self, asked: Asked) -> Answer:
        found = await self._due(asked.message)
        if found is None:
            return Answer(202)
        kept = note(self.me, found, asked.attempt).model_dump_json()
        try:
            wanted = self._body(found, asked.key)
        except ValueError as error:
            return await self._refuse(asked, Refusal(code=PARTNER_REFUSED, message=reason(error)), kept)
        return await (self._ask_nothing(asked, found) if wanted is None else self._take(asked, wanted, kept))

    async def _take(self, asked: Asked, wanted: BaseModel, kept: str) -> Answer:
        try:
            row, new = await self.store.hold(asked.key, wanted, kept)
        except DifferentBody as error:
            raise Unreadable("the trip is known with another body") from error
        except Refused as refused:
            if refused.code is not Code.CLOSED:
                return await self._refuse(asked, Refusal(code=refused.code, message=refused.message), kept)
            # If the key was closed over HTTP, its row may take part from now on alone.
            written = await self.store.written(asked.key)
            return self._closed(asked, written or await self.store.release(asked.key, kept))
        return self._answer(asked, 201 if new else 200, row)

    async def _ask_nothing(self, asked: Asked, found: Due) -> Answer:
        row = await self.store.written(asked.key)
        if row is not None:
            return self._closed(asked, row)
        again = asked.message.data.again
        return Answer(200, nothing_asked(self.me, asked.key, found, datetime.now(UTC), again))

    async def _confirm(self, asked: Asked) -> Answer:
        try:
            row = await self.store.confirm(asked.key)
        except UnknownKey:
            return Answer(404)
        except Refused:
            return self._closed(asked, await self.store.written(asked.key))
        return self._answer(asked, 200, row)

    async def _release(self, asked: Asked) -> Answer:
        kept = Note(slip=asked.message.data.slip.bare()).model_dump_json()
        return self._answer(asked, 200, await self.store.release(asked.key, kept))

    async def _due(self, message: Message) -> Due | None:
        """What is due before me. None if others of the stage before have not told theirs yet."""
        slip = message.data.slip
        if not isinstance(message.data, HeldData):
            return due(self.me, slip, {})
        amount = message.data.due_minor
        if len(slip.before(self.me)) == 1:
            return due(self.me, slip, {message.source: amount})
        heard = await self.store.arrive(message.subject, message.source, str(amount))
        return due(self.me, slip, {source: int(word) for source, word in heard.items()})

    def _body(self, found: Due, trip_id: str) -> BaseModel | None:
        """What the store is to hold; None if nothing is left to ask of me. Raises ValueError."""
        wanted = body(self.me, found)
        if wanted is None:
            return None
        if self.seal is not None:
            wanted = wanted | {"card_token": self.seal.open(wanted.get("card_token", ""), trip_id)}
        checked: BaseModel = declared(self.me).body.model_validate(wanted)
        return checked

    async def _refuse(self, asked: Asked, refusal: Refusal, kept: str) -> Answer:
        return self._answer(asked, 409, await self.store.refuse(asked.key, refusal, kept))

    def _closed(self, asked: Asked, row: Reservation | None) -> Answer:
        if isinstance(row, Noted) and row.status is Status.HELD:
            raise TryLater(SWEEP_INTERVAL_S, "the hold has expired and is about to be given back")
        return self._answer(asked, 409, row)

    def _answer(self, asked: Asked, status: int, row: Reservation | None) -> Answer:
        """The row told as it stands, if it takes part."""
        if not isinstance(row, Noted):
            return Answer(status)
        again = asked.message.data.again
        return Answer(status, tells(self.me, row, datetime.now(UTC), asked.attempt, again))
