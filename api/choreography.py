"""Partners that coordinate themselves: the trip's row decides, and the broker carries word of that."""

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from nats.js.errors import NotFoundError

from api.coordination import Begun, CoordinatorAway, NotReady
from choreography.broker import Broker, BrokerAway, ask, connected
from choreography.ledger import CONSUMER, Ledger, means
from choreography.messages import Message
from choreography.rows import Rules
from choreography.sealing import Seal
from choreography.streams import TRIPS, UNUSABLE
from choreography.words import noted
from config.settings import Settings
from guard.view import Breakers
from record.notices import Notices
from record.pool import Pool
from trip.partner import Partner
from trip.trip import Booking, OperatorOrder


class Choreography:
    """Asks for the first holds. A cancel and an operator's order need nothing but the row."""

    cancels_unstarted = True

    def __init__(self, broker: Broker, ledger: Ledger, breakers: Breakers) -> None:
        self.broker = broker
        self._ledger = ledger
        self._breakers = breakers

    def begins(self, booking: Booking) -> Begun | None:
        message = self._ledger.requested(booking, means(self.broker, self._breakers))
        return Begun(noted(message), partial(self._tell, message)) if message else None

    async def start(self, booking: Booking) -> None:
        with _as_away():
            await self._ledger.start(booking, means(self.broker, self._breakers))

    async def _tell(self, message: Message) -> None:
        with _as_away():
            await self._ledger.publish(message)

    async def cancel(self, trip_id: str) -> bool:
        return await self._ledger.cancel(trip_id)

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        return await self._ledger.operate(trip_id, order)

    async def forget(self, trip_ids: Sequence[str]) -> None:
        """The broker drops messages by their age alone."""

    def checks(self) -> Mapping[str, Awaitable[None]]:
        return {"broker": ask(self.broker), "trips": self._check_trips()}

    async def _check_trips(self) -> None:
        """The process `trips` listens."""
        try:
            found = await self.broker.current().js.consumer_info(TRIPS, CONSUMER)
        except (NotFoundError, *UNUSABLE) as error:
            raise NotReady("nobody listens for what partners tell") from error
        if not found.num_waiting:
            raise NotReady("nobody listens for what partners tell")


@contextmanager
def _as_away() -> Iterator[None]:
    try:
        yield
    except BrokerAway as error:
        raise CoordinatorAway("broker_unavailable", "no answer from the broker; try again") from error


@asynccontextmanager
async def opened(config: Settings, pool: Pool) -> AsyncIterator[Choreography]:
    """The coordinator with its connections. It opens even if the broker does not answer yet."""
    seal, notices = Seal(config.seal_key.get_secret_value()).seal, Notices(pool)
    async with (
        connected(config.nats_url, "api", config.nats_replicas) as broker,
        Breakers(config.listening_url, config.breaker_policy(), list(Partner)) as breakers,
        notices.telling(),
    ):
        ledger = Ledger(pool, broker, notices.tell, seal, Rules.of(config))
        yield Choreography(broker, ledger, breakers)
