"""Dead letters: messages that a listener gave up, kept in a stream of their own."""

from datetime import datetime
from typing import Self

from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from pydantic import BaseModel, ConfigDict, ValidationError

from choreography.broker import Broker, BrokerAway
from choreography.delivery import Delivery
from choreography.streams import DEAD, UNUSABLE

ERROR_LENGTH = 500

SUBJECT = "dead.{consumer}"

_SUBJECT = "Trips-Subject"
_ID = "Trips-Msg-Id"
_ERROR = "Trips-Error"
_DELIVERIES = "Trips-Deliveries"
_PUBLISHED = "Trips-Published-At"


class _Told(BaseModel):
    """What a message of any version says of its trip."""

    subject: str


class DeadLetter(BaseModel):
    """A message that the listeners of `consumer` gave up after so many deliveries, and why.

    `sequence` is the letter's own, in the stream of dead letters. `body` is the message's, as far as it is
    text. `trip_id` is null if the body does not name a trip.
    """

    model_config = ConfigDict(frozen=True)

    sequence: int
    consumer: str
    subject: str
    message_id: str
    trip_id: str | None
    body: str
    error: str
    deliveries: int
    published_at: datetime
    died_at: datetime

    @classmethod
    def of(cls, raw: RawStreamMsg) -> Self:
        """The letter that the stream keeps."""
        headers = raw.headers or {}
        return cls.model_validate(
            {
                "sequence": raw.seq,
                "consumer": (raw.subject or "").partition(".")[2],
                "subject": headers[_SUBJECT],
                "message_id": headers[_ID],
                "trip_id": _trip_id(raw.data or b""),
                "body": (raw.data or b"").decode(errors="replace"),
                "error": headers[_ERROR],
                "deliveries": headers[_DELIVERIES],
                "published_at": headers[_PUBLISHED],
                "died_at": raw.time,
            }
        )


def _trip_id(body: bytes) -> str | None:
    try:
        return _Told.model_validate_json(body).subject
    except ValidationError:
        return None


async def bury(broker: Broker, durable: str, delivery: Delivery, error: str) -> None:
    """Keep a message as a dead letter. Raises BrokerAway."""
    letter_id = f"{durable}/{delivery.message_id}"
    said = headers(delivery, error)
    await broker.publish(SUBJECT.format(consumer=durable), delivery.body, letter_id, said)


def headers(delivery: Delivery, error: str) -> dict[str, str]:
    """What a dead letter says of its message."""
    return {
        _SUBJECT: delivery.subject,
        _ID: delivery.message_id,
        _ERROR: _one_line(error),
        _DELIVERIES: str(delivery.attempt),
        _PUBLISHED: delivery.published_at.isoformat(),
    }


def _one_line(text: str) -> str:
    return " ".join(text[:ERROR_LENGTH].encode(errors="replace").decode().split())


async def dead_letters(broker: Broker, after: int = 0, limit: int = 100) -> list[DeadLetter]:
    """The letters whose sequence is above `after`, the oldest first. Raises BrokerAway."""
    letters: list[DeadLetter] = []
    while len(letters) < limit:
        raw = await _next(broker, after + 1)
        if raw is None or raw.seq is None:
            break
        letters.append(DeadLetter.of(raw))
        after = raw.seq
    return letters


async def replay(broker: Broker, sequence: int) -> DeadLetter | None:
    """Publish the message of a letter again, for all its listeners, and drop the letter.

    The message gets an id of its own. The broker would drop it under the old one. None if there is no such
    letter. Raises BrokerAway.
    """
    raw = await _at(broker, sequence)
    if raw is None:
        return None
    letter = DeadLetter.of(raw)
    await broker.publish(letter.subject, raw.data or b"", f"{letter.message_id}/r{sequence}")
    await drop(broker, sequence)
    return letter


async def drop(broker: Broker, sequence: int) -> None:
    """Forget a letter, if it is there. Raises BrokerAway."""
    try:
        await broker.current().js.delete_msg(DEAD, sequence)
    except UNUSABLE as error:
        # The server has several errors for a letter that is not there.
        if await _at(broker, sequence) is not None:
            raise BrokerAway(f"the broker did not drop a letter: {error}") from error


async def _at(broker: Broker, sequence: int) -> RawStreamMsg | None:
    raw = await _next(broker, sequence)
    return None if raw is None or raw.seq != sequence else raw


async def _next(broker: Broker, sequence: int) -> RawStreamMsg | None:
    try:
        return await broker.current().js.get_msg(DEAD, sequence, "dead.>", direct=True, next=True)
    except NotFoundError:
        return None
    except UNUSABLE as error:
        raise BrokerAway(f"the broker shows no dead letters: {error}") from error
