"""What is said to one partner, and what it says to a broker that only notes it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from choreography.acting import Actor, Answer, Asked
from choreography.broker import Broker, BrokerAway
from choreography.delivery import Delivery
from choreography.messages import (
    Bought,
    Captured,
    Data,
    Held,
    HeldData,
    Message,
    Refused,
    RefusedData,
    Requested,
    SettledData,
    Slip,
    Withdrawn,
    read,
    subject,
    written,
)
from choreography.participant import Hearing
from choreography.protocol import Wish
from choreography.sealing import Seal, new_key
from choreography.telling import Teller
from guard.backoff import BackoffPolicy
from partners.catalogue import PARTNERS
from partners.participant import Participation
from partners.service import PartnerService, load
from tests.partners.cases import Body
from tests.partners_engines.engines import Engine, running_engine
from trip.partner import PAYMENT, POINTS, Partner

_NUMBERS = count()

BACKOFF = BackoffPolicy(base_s=0.1, cap_s=1, attempts=3)
SEAL = Seal(new_key())
ENGINE_ERRORS = (TimeoutError, OSError)
DUE = 10**6


class Noting(Broker):
    """A broker that keeps what it is told. While it is `away` it takes nothing."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.away = False

    async def publish(self, subject: str, body: bytes, message_id: str, headers: object = None) -> None:
        if self.away:
            raise BrokerAway("on purpose")
        message = read(body)
        assert message_id == message.id
        self.heard.append(message)


def service_of(name: str) -> PartnerService[Any]:
    """The bundled partner's service."""
    return load(next(partner for partner in PARTNERS if partner.name == name))


class Engines:
    """Engines of these tests' own, started once asked for. No relay of a running system is on them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._running: dict[str, Engine] = {}

    async def of(self, name: str) -> Engine:
        """The engine of a partner's kind."""
        declaration = service_of(name).declaration
        if declaration.engine not in self._running:
            engine = await self._stack.enter_async_context(running_engine(declaration))
            self._running[declaration.engine] = engine
        return self._running[declaration.engine]


@dataclass
class Talk:
    """All that is said of one trip to a partner. `body` is what the partner is to hold."""

    me: Partner
    body: Body
    trip_id: str
    again: int = 0
    stages: tuple[tuple[Partner, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        stay = Partner("hotel") if self.me in (POINTS, PAYMENT) else self.me
        middle = ((POINTS,),) if self.me is POINTS else ()
        self.stages = ((stay,), *middle, (PAYMENT,))

    @property
    def slip(self) -> Slip:
        """The parts of the partner, and of the payment after it."""
        parts = {PAYMENT: {"card_token": SEAL.seal("tok_visa", self.trip_id), "currency": "JPY"}}
        mine = dict(self.body)
        if self.me is PAYMENT:
            mine.pop("amount_minor")
            mine["card_token"] = SEAL.seal(mine["card_token"], self.trip_id)
        return Slip(stages=self.stages, parts=parts | {self.me: mine})

    def says(self, wish: Wish) -> Message:
        """The message that asks this of the partner."""
        if wish is Wish.HOLD:
            return self.asks()
        data = Data(slip=self.slip.bare(), again=self.again)
        if wish is Wish.RELEASE:
            return Withdrawn(data=data, **self._of("trips"))
        if self.me is PAYMENT:
            return Bought(data=data, **self._of("trips"))
        settled = SettledData(**data.model_dump(), seq=2, reference="PAY-1")
        return Captured(data=settled, **self._of("payment"))

    def asks(self, due_minor: int | None = None) -> Message:
        """The message that asks for the hold, if so much is due before it."""
        if self.me is self.stages[0][0]:
            return Requested(data=Data(slip=self.slip, again=self.again), **self._of("trips"))
        if due_minor is None:
            due_minor = self.body.get("amount_minor", DUE)
        return self.held_by(self.stages[0][0], due_minor)

    def held_by(self, source: Partner, due_minor: int) -> Message:
        """What a partner of the stage before says."""
        held = HeldData(
            slip=self.slip,
            again=self.again,
            seq=1,
            reference="A-1",
            amount_minor=due_minor,
            currency="JPY",
            due_minor=due_minor,
        )
        return Held(data=held, **self._of(source.value))

    def refused_by(self, source: Partner) -> Message:
        """Another partner's refusal."""
        data = RefusedData(slip=self.slip.bare(), seq=1, code="sold_out", message="gone")
        return Refused(data=data, **self._of(source.value))

    def _of(self, source: str) -> dict[str, Any]:
        identity = f"{source}/{self.trip_id}/{next(_NUMBERS)}"
        return {"id": identity, "source": source, "subject": self.trip_id, "time": datetime.now(UTC)}


def delivery(message: Message, attempt: int = 1) -> Delivery:
    """The message as a listener gives it."""
    return Delivery(subject(message), written(message), message.id, attempt, datetime.now(UTC))


@dataclass
class Ear:
    """A partner's handler on a store, and the broker that hears it."""

    me: Partner
    store: Participation[Any]
    broker: Noting = field(default_factory=Noting)
    statuses: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.teller = Teller(self.broker, self.store)
        self.actor = Actor(self.me, self.store, SEAL if self.me is PAYMENT else None)
        hearing = Hearing(self.me, self._act, self.teller, BACKOFF, ENGINE_ERRORS)
        self.handle = hearing.handler(f"{self.me}-do")

    async def _act(self, asked: Asked) -> Answer:
        answer = await self.actor.act(asked)
        self.statuses.append(answer.status)
        return answer

    async def hears(self, message: Message, attempt: int = 1) -> list[Message]:
        """Have the partner deal with a message. Returns what it tells."""
        self.broker.heard.clear()
        await self.handle(delivery(message, attempt))
        return list(self.broker.heard)
