"""The trips' rows: what changes them, and what is told of that. A batch of rows is one transaction."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain

from pydantic import ValidationError

from choreography import failures
from choreography.advance import Going, Means, cancelled, decided, heard, looked_at, operated, started
from choreography.broker import Broker, BrokerAway
from choreography.decisions import Row
from choreography.delivery import Delivery, Unreadable
from choreography.facts import Facts
from choreography.figures import count_end
from choreography.messages import TRIPS, Message, Refused, Requested, Tried, read, reason, subject, written
from choreography.rows import Rules, changed, is_still, read_row
from choreography.words import Sealing, noted, word
from guard.view import Breakers
from record import choreographed
from record.attempts import Entry
from record.choreographed import Found, Written, locked, locked_due
from record.noted import NotedMessage
from record.pool import Pool
from serving.logs import about
from trip.partner import Partner
from trip.trip import Booking, OperatorOrder, TripStatus

AT_ONCE = 100

CONSUMER = "trips"
"""The durable consumer of what partners tell."""

_TOLD_BY_PARTNERS = ("held", "refused", "lapsed", "captured", "confirmed", "released", "tried")
SUBJECTS = tuple(f"trips.{what}.>" for what in _TOLD_BY_PARTNERS)

GoesOn = Callable[[Booking, Row, datetime], Going | None]
"""How a row goes on at a time by PostgreSQL's clock. None: it stays as it is."""

Show = Callable[[str, TripStatus], None]

log = logging.getLogger(__name__)


class Ledger:
    """Changes rows, and tells what they decide once that is written.

    What cannot be told then is told again by a look. `show` is called with the id and the status of each
    trip that is shown anew. Each method raises RecordAway.
    """

    def __init__(self, pool: Pool, broker: Broker, show: Show, seal: Sealing, rules: Rules) -> None:
        self._pool = pool
        self._broker = broker
        self._show = show
        self._seal = seal
        self._rules = rules

    def requested(self, booking: Booking, means: Means) -> Message | None:
        """What asks for the first holds. None if the trip may not begin now."""
        if not means.can_tell or means.open_at:
            return None
        return word(Requested, booking, Facts(), datetime.now(UTC), self._seal)

    async def start(self, booking: Booking, means: Means) -> None:
        """Have the first holds asked for, however often. Raises BrokerAway if that cannot be told now.

        A trip that may not begin is ended, or left to be looked at.
        """
        message = self.requested(booking, means)
        if message and await choreographed.begin(self._pool, booking.order.deadline_s, noted(message)):
            await self.publish(message)
            return
        work = await self._change(
            booking.trip_id, lambda booking, row, now: started(booking, row, now, means)
        )
        for message in work.told:
            await self.publish(message)
        if not means.can_tell and any(one.sending is None for one in work.written):
            raise BrokerAway("the trip has yet to begin")

    async def cancel(self, trip_id: str) -> bool:
        """Undo the trip. False: its capture is decided, or it has ended."""
        work = await self._change(trip_id, lambda _, row, now: cancelled(row, now))
        await self._tell(work.told)
        return bool(work.written)

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        """Take an operator's order. False: the step does not need attention."""
        attention = self._rules.attention
        work = await self._change(
            trip_id, lambda booking, row, now: operated(booking, row, order, now, attention)
        )
        await self._tell(work.told)
        return bool(work.written)

    async def hear(self, deliveries: Sequence[Delivery]) -> None:
        """Write what these messages tell. Raises Unreadable."""
        by_trip: defaultdict[str, list[Message]] = defaultdict(list)
        for delivery in deliveries:
            message = _understood(delivery)
            if message.source != TRIPS:
                by_trip[message.subject].append(message)
        work = _Work(self._seal, self._rules)
        every = chain.from_iterable(by_trip.values())
        work.failures += [failures.tried(message) for message in every if isinstance(message, Tried)]
        async with locked(self._pool, by_trip) as batch:
            for found in batch.found:
                booking, row = read_row(found)
                facts, new = heard(row.facts, by_trip[found.trip_id])
                if new:
                    work.noted += [noted(message) for message in new]
                    work.failures += [failures.refused(one) for one in new if isinstance(one, Refused)]
                    work.add(found, booking, row, decided(booking, row._replace(facts=facts), found.now))
            await batch.write(work.written, work.noted, work.failures)
        await self._done(work)

    async def look(self, means: Means) -> int:
        """Look at trips that stand still, at most AT_ONCE. Returns how many there were.

        A trip that cannot be looked at, since another version wrote it, holds up no other.
        """
        work, spoilt = _Work(self._seal, self._rules), []
        async with locked_due(self._pool, AT_ONCE) as batch:
            for found in batch.found:
                try:
                    booking, row = read_row(found)
                    going = looked_at(booking, row, found.now, means, is_still(found))
                    work.add(found, booking, row, going)
                except Exception:
                    log.exception("trip %s cannot be looked at", found.trip_id, extra=about(found.trip_id))
                    spoilt.append(found.trip_id)
            await batch.write(work.written, work.noted, work.failures)
            if spoilt:
                await batch.postpone(spoilt)
        await self._done(work)
        return len(batch.found)

    async def _change(self, trip_id: str, goes_on: GoesOn) -> "_Work":
        """Change one trip, and show it. What it tells is left to the caller."""
        work = _Work(self._seal, self._rules)
        async with locked(self._pool, [trip_id]) as batch:
            for found in batch.found:
                booking, row = read_row(found)
                going = goes_on(booking, row, found.now)
                if going is not None:
                    work.add(found, booking, row, going)
            await batch.write(work.written, work.noted, work.failures)
        self._note(work)
        return work

    async def _done(self, work: "_Work") -> None:
        self._note(work)
        await self._tell(work.told)

    def _note(self, work: "_Work") -> None:
        for one in work.written:
            if one.status is not None:
                self._show(one.trip_id, one.status)
        for ended in work.changed:
            count_end(*ended)

    async def _tell(self, messages: Sequence[Message]) -> None:
        """Tell what can be told now."""
        await asyncio.gather(*map(self._try_to_publish, messages))

    async def _try_to_publish(self, message: Message) -> None:
        try:
            await self.publish(message)
        except BrokerAway as error:
            log.warning("%s is told later: %s", message.id, error, extra=about(message.subject))

    async def publish(self, message: Message) -> None:
        """Tell what is written. Raises BrokerAway."""
        await self._broker.publish(subject(message), written(message), message.id)


def means(broker: Broker, breakers: Breakers) -> Means:
    """What a trip meets at this moment, as far as this process knows."""
    kept_out = frozenset(partner for partner in Partner if breakers.peek(partner.value))
    return Means(kept_out, can_tell=broker.is_there)


class _Work:
    """What is written of a batch of rows in its transaction, and told after it."""

    def __init__(self, seal: Sealing, rules: Rules) -> None:
        self._seal = seal
        self._rules = rules
        self.written: list[Written] = []
        self.changed: list[tuple[Written, Booking, Row, datetime]] = []
        self.noted: list[NotedMessage] = []
        self.failures: list[Entry] = []
        self.told: list[Message] = []

    def add(self, found: Found, booking: Booking, before: Row, going: Going) -> None:
        """Have a row say what it is to say. What is told again is not noted again."""
        written = changed(found, booking, going.row, self._rules)
        self.written.append(written)
        self.changed.append((written, booking, going.row, found.now))
        if going.kept_out is not None:
            next_at = written.due_at if going.row.mark is None else None
            self.failures.append(failures.kept_out(found.trip_id, going.kept_out, found.now, next_at))
        if going.tells is None:
            return
        message = word(going.tells, booking, going.row.facts, found.now, self._seal)
        self.told.append(message)
        if going.row.facts.again == before.facts.again:
            self.noted.append(noted(message))


def _understood(delivery: Delivery) -> Message:
    try:
        return read(delivery.body)
    except ValidationError as error:
        raise Unreadable(reason(error)) from error
