"""`python -m trials.bench.buys.without NAME`: the system's worker without something it has no switch for."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import worker
from activities.http import Answer, PartnerHttp
from trials.bench.buys.verdict import BETWEEN
from trip.calls import PartnerCall
from trip.fence import Ending
from trip.partner import Partner, PartnerAnswer, Verb
from workflows.saga import Saga

_send = PartnerHttp.send
_call = Saga._call


async def _undo_nothing(saga: Saga, ending: Ending, _covered: object) -> None:
    """A trip that could not be had ends there and then, whatever is held for it."""
    saga._progress.enter(ending.status, ending.failure)


async def _send_under_a_fresh_key(
    http: PartnerHttp, verb: Verb, partner: Partner, call: PartnerCall, limit_s: float
) -> Answer:
    """Each attempt of a hold is another reservation; the partner's answer says which."""
    if verb is Verb.RESERVE:
        call = call.model_copy(update={"key": f"{call.key}{BETWEEN}{uuid4().hex}"})
    return await _send(http, verb, partner, call, limit_s)


async def _call_by_answered_key(
    saga: Saga, verb: Verb, partner: Partner, call: PartnerCall, **options: Any
) -> PartnerAnswer:
    """Confirm and release the reservation that was answered; of one that was not nobody knows."""
    answered: dict[Partner, str] = saga.__dict__.setdefault("answered", {})
    if verb is not Verb.RESERVE:
        call = call.model_copy(update={"key": answered.get(partner, call.key)})
    answer = await _call(saga, verb, partner, call, **options)
    if verb is Verb.RESERVE:
        answered[partner] = answer.reservation.key
    return answer


WITHOUT: dict[str, tuple[tuple[type, str, Callable[..., Any]], ...]] = {
    "compensation": ((Saga, "compensate", _undo_nothing),),
    "keys": ((PartnerHttp, "send", _send_under_a_fresh_key), (Saga, "_call", _call_by_answered_key)),
}


def main() -> None:
    """Run the worker without what is named on the command line."""
    if len(sys.argv) != 2 or sys.argv[1] not in WITHOUT:
        sys.exit(f"usage: python -m trials.bench.buys.without {'|'.join(WITHOUT)}")
    with ExitStack() as patched:
        for place, method, instead in WITHOUT[sys.argv[1]]:
            patched.enter_context(patch.object(place, method, instead))
        worker.main()


if __name__ == "__main__":
    main()
