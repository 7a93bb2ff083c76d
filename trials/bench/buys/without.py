"""`python -m trials.bench.buys.without NAME`: the system's worker without something it has no switch for.

Both are left out when a call is sent; the saga does not know of it.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import worker
from calling.http import Answer, PartnerHttp
from trials.bench.buys.figures import BETWEEN
from trip.calls import PartnerCall
from trip.partner import Partner, Reservation, ReservationStatus, Verb

_send = PartnerHttp.send
Send = Callable[[PartnerHttp, Verb, Partner, PartnerCall, float], Awaitable[Answer]]


async def _release_nothing(
    http: PartnerHttp, verb: Verb, partner: Partner, call: PartnerCall, limit_s: float
) -> Answer:
    """An undo does nothing, and says that all is undone."""
    if verb is Verb.RELEASE:
        return Reservation(key=call.key, status=ReservationStatus.RELEASED)
    return await _send(http, verb, partner, call, limit_s)


async def _hold_under_a_fresh_key(
    http: PartnerHttp, verb: Verb, partner: Partner, call: PartnerCall, limit_s: float
) -> Answer:
    """Each attempt of a hold is another reservation. Confirm and release go to the one that was answered.

    Nobody knows of one that was not answered.
    """
    if verb is not Verb.RESERVE:
        key = _answered(partner, call.key)
        return await _send(http, verb, partner, call.model_copy(update={"key": key}), limit_s)
    fresh = f"{call.key}{BETWEEN}{uuid4().hex}"
    found = await _send(http, verb, partner, call.model_copy(update={"key": fresh}), limit_s)
    if isinstance(found, Reservation):
        _file(partner, call.key).write_text(fresh)
    return found


def _file(partner: Partner, key: str) -> Path:
    """Keeps the key that was answered, since the worker is killed."""
    return Path(os.environ["ANSWERED_DIR"], f"{key}.{partner}.key")


def _answered(partner: Partner, key: str) -> str:
    file = _file(partner, key)
    return file.read_text() if file.exists() else key


WITHOUT: dict[str, Send] = {"compensation": _release_nothing, "keys": _hold_under_a_fresh_key}


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in WITHOUT:
        sys.exit(f"usage: python -m trials.bench.buys.without {'|'.join(WITHOUT)}")
    with patch.object(PartnerHttp, "send", WITHOUT[sys.argv[1]]):
        worker.main()
