"""The broker's two streams, and how they are declared."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import NoReturn

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, ConsumerInfo, DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

TRIPS = "TRIPS"
DEAD = "DEAD"

MIB = 1024 * 1024
DAY_S = 86_400.0

ACK_WAIT_S = 3.0
"""How long the broker waits for a message's acknowledgement, or for word that its handling goes on."""

UNUSABLE = (nats.errors.Error, OSError, TimeoutError)
"""What nats-py raises while the broker cannot be used."""

_MAX_BYTES = 1024 * MIB
_ROOM_EVERY_S = 60.0
_ACK_PENDING = 10_000

log = logging.getLogger(__name__)


def streams(replicas: int) -> list[StreamConfig]:
    """What the streams have to be. A full `TRIPS` refuses; a full `DEAD` forgets its oldest letters."""
    return [
        StreamConfig(
            name=TRIPS,
            subjects=["trips.>"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            max_age=2 * DAY_S,
            max_bytes=_MAX_BYTES,
            discard=DiscardPolicy.NEW,
            duplicate_window=120,
            allow_direct=True,
        ),
        StreamConfig(
            name=DEAD,
            subjects=["dead.>"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            max_age=30 * DAY_S,
            max_bytes=64 * MIB,
            discard=DiscardPolicy.OLD,
            duplicate_window=120,
            allow_direct=True,
        ),
    ]


async def declare(js: JetStreamContext, wanted: Sequence[StreamConfig]) -> None:
    """Make the streams that are missing, and change those that are not as wanted. Raises nats' errors."""
    for config in wanted:
        assert config.name is not None
        try:
            there = (await js.stream_info(config.name)).config
        except NotFoundError:
            await js.add_stream(config)
        else:
            if _differs(there, config):
                await js.update_stream(config)


def _differs(there: StreamConfig, wanted: StreamConfig) -> bool:
    return any(getattr(there, name) != value for name, value in vars(wanted).items() if value is not None)


def consumer(durable: str, subjects: Sequence[str]) -> ConsumerConfig:
    """A durable consumer of `TRIPS`.

    The broker delivers without end; a listener ends it with a dead letter. So no message is given up by the
    broker alone, of which it would tell once, to whoever listens at that moment.
    """
    return ConsumerConfig(
        name=durable,
        durable_name=durable,
        filter_subjects=list(subjects),
        ack_wait=ACK_WAIT_S,
        max_deliver=-1,
        max_ack_pending=_ACK_PENDING,
    )


async def keep_room(js: JetStreamContext) -> NoReturn:
    """Make room about once a minute, until cancelled."""
    while True:
        await asyncio.sleep(random.uniform(_ROOM_EVERY_S / 2, _ROOM_EVERY_S * 3 / 2))
        with contextlib.suppress(*UNUSABLE):
            await make_room(js)


async def make_room(js: JetStreamContext, above_bytes: int = _MAX_BYTES // 2) -> None:
    """Drop the messages that every consumer is done with, if `TRIPS` is larger than so many bytes.

    Otherwise a stream full of messages that were dealt with would refuse all others for two days.
    """
    state = (await js.stream_info(TRIPS)).state
    if state.bytes <= above_bytes:
        return
    done = [_done(info, state.last_seq) for info in await js.consumers_info(TRIPS)]
    if done and min(done) >= state.first_seq:
        await js.purge_stream(TRIPS, seq=min(done) + 1)
        log.info("dropped the messages up to %d, which all consumers were done with", min(done))


def _done(info: ConsumerInfo, last: int) -> int:
    """The sequence up to which a consumer is done with all that was in the stream up to `last`."""
    if not info.num_pending and not info.num_ack_pending:
        return last
    return info.ack_floor.stream_seq if info.ack_floor else 0
