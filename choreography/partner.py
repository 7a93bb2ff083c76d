"""What runs beside a partner's server, so that it takes part in choreographed trips."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from choreography.acting import Act, Actor
from choreography.broker import Broker, connected
from choreography.lab import is_open, with_faults
from choreography.listener import LEAVE_S, listen
from choreography.participant import Hearing, durables
from choreography.relay import relay
from choreography.sealing import Seal
from choreography.telling import Teller
from config.messaging import Messaging
from guard.backoff import BackoffPolicy
from partners import process
from partners.lab import Lab
from partners.participant import Participation
from partners.process import Beside, nothing
from partners.service import PartnerService
from serving.beside import end
from trip.partner import PAYMENT, Partner


@dataclass(frozen=True)
class Part:
    """A partner that takes part. `seal` opens the card's token; only the payment partner has one."""

    me: Partner
    backoff: BackoffPolicy
    seal: Seal | None = None

    @asynccontextmanager
    async def taken(
        self,
        broker: Broker,
        store: Participation[Any],
        away: tuple[type[Exception], ...],
        lab: Lab | None = None,
        takes: Callable[[], bool] = lambda: True,
    ) -> AsyncIterator[None]:
        """Listen and relay while the context is open, and take messages while `takes` says so.

        `away`: the store's engine is away.
        """
        act: Act = Actor(self.me, store, self.seal).act
        if lab is not None:
            act = with_faults(act, lab, away)
        teller = Teller(broker, store)
        hearing = Hearing(self.me, act, teller, self.backoff, away)
        listening = (
            listen(
                broker,
                durable,
                subjects,
                hearing.handler(durable),
                self.backoff,
                is_open=lambda: takes() and is_open(lab),
            )
            for durable, subjects in durables(self.me).items()
        )
        async with _running(*listening, relay(self.me, store, teller, away)):
            yield


def taking_part(me: Partner, config: Messaging) -> Part:
    """The part of the partner. Raises ValueError if it needs a seal and has no key for it."""
    seal = Seal(config.seal_key.get_secret_value()) if me is PAYMENT else None
    return Part(me, config.backoff(me), seal)


def prepared(name: str) -> Beside:
    """What runs beside the server of the partner `name`: nothing without a broker. Raises ValueError."""
    config = Messaging()
    if not config.nats_url:
        return nothing
    part = taking_part(Partner(name), config)

    @asynccontextmanager
    async def beside(
        service: PartnerService[Any], store: Participation[Any], lab: Lab | None
    ) -> AsyncIterator[None]:
        async with (
            connected(config.nats_url, name, config.nats_replicas) as broker,
            part.taken(broker, store, service.away, lab),
        ):
            yield

    return beside


@asynccontextmanager
async def _running(*endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these until the context is left. If one fails, so does the context."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in endless]
        try:
            yield
        finally:
            await end(tasks, again_s=2 * LEAVE_S)


def main() -> None:
    """Serve the partner named on the command line."""
    process.main("choreography", prepared)
