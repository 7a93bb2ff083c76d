"""What tells the rows that no handler told: those of a crash, of a broker that was away, and expiries."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from choreography.messages import Message
from choreography.protocol import tells
from choreography.telling import Teller
from partners.participant import Noted, Participation
from partners.store import Status
from trip.partner import Partner

LOOK_EVERY_S = 1.0
MOST_AT_ONCE = 1000
SIDE_BY_SIDE = 20

log = logging.getLogger(__name__)


async def relay(
    me: Partner, store: Participation[Any], teller: Teller, away: tuple[type[Exception], ...]
) -> None:
    """Tell what is untold, and mark what was told, until cancelled. `away`: the store's engine is away."""
    seen: frozenset[tuple[str, int]] = frozenset()
    while True:
        try:
            seen = await look(me, store, teller, seen)
        except away as error:
            log.warning("could not look for what is untold: %s: %s", type(error).__name__, error)
        except Exception:
            log.exception("could not tell what is untold, trying again")
        await asyncio.sleep(LOOK_EVERY_S)


async def look(
    me: Partner, store: Participation[Any], teller: Teller, seen: frozenset[tuple[str, int]]
) -> frozenset[tuple[str, int]]:
    """One look at the untold rows, of which those `seen` at the look before are told. Returns what it saw.

    A handler may just be telling a row that was not there before. No handler tells an expiry.
    """
    await teller.mark()
    rows = await store.untold(MOST_AT_ONCE)
    due = [row for row in rows if _state(row) in seen or row.status is Status.EXPIRED]
    await _tell(teller, [message for row in due if (message := _message(me, row)) is not None])
    return frozenset(map(_state, rows))


async def _tell(teller: Teller, messages: Sequence[Message]) -> None:
    for first in range(0, len(messages), SIDE_BY_SIDE):
        some = messages[first : first + SIDE_BY_SIDE]
        if not all(await asyncio.gather(*map(teller.tell, some))):
            return


def _message(me: Partner, row: Noted) -> Message | None:
    """What the row tells. None if its note is of no use, so that it stands before no other row."""
    try:
        return tells(me, row, datetime.now(UTC))
    except (ValueError, LookupError) as error:
        log.debug("%s cannot be told: %s", row.key, error)
        return None


def _state(row: Noted) -> tuple[str, int]:
    return row.key, row.seq
