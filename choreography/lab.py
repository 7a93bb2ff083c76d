"""The lab hits a partner's messages as it hits its requests (only with TRIPS_LAB=1)."""

import asyncio
import random

from choreography.acting import Act, Answer, Asked, Unanswered
from choreography.delivery import TryLater
from choreography.protocol import Wish
from choreography.streams import ACK_WAIT_S
from partners.lab import DROPPED, Entry, Lab, Lot, drawn
from serving.faults import Faults, FaultVerb

VERBS = {Wish.HOLD: FaultVerb.PUT, Wish.CONFIRM: FaultVerb.CONFIRM, Wish.RELEASE: FaultVerb.DELETE}
"""Each request that does what a message asks."""


def is_open(lab: Lab | None) -> bool:
    """Whether the partner takes messages. If it is down for a number of calls, messages use that up."""
    return lab is None or not lab.faults.down or lab.left is not None


def with_faults(act: Act, lab: Lab, away: tuple[type[Exception], ...]) -> Act:
    """`act` under the faults of `lab`, each message noted as a call. `away`: the store's engine is away."""

    later: tuple[type[Exception], ...] = (TryLater, *away)

    async def faulty(asked: Asked) -> Answer:
        call = lab.record(VERBS[asked.wish], asked.key)
        faults = lab.hit(call.verb)
        lot = await drawn(faults)
        if lot is Lot.ERROR:
            call.outcome = str(faults.status)
            raise Unanswered(f"answered {faults.status}: asked for at /lab/faults", faults.retry_after_s)
        try:
            answer = None if lot is Lot.CUT else await _acted(act, asked, faults)
        except later:
            call.outcome = "503"
            raise
        return _replied(call, lot, answer)

    return faulty


async def _acted(act: Act, asked: Asked, faults: Faults) -> Answer:
    """What came of it, after a while, and perhaps twice at the same time."""
    await asyncio.sleep(random.uniform(0, faults.hold_back_ms / 1000))
    times = 2 if random.random() < faults.repeat_rate else 1
    answers = await asyncio.gather(*(act(asked) for _ in range(times)))
    return answers[0]


def _replied(call: Entry, lot: Lot, answer: Answer | None) -> Answer:
    """The answer, unless it is dropped. Then the message comes again, as one that nobody acknowledged."""
    if answer is None or lot is Lot.DROPPED:
        call.outcome = DROPPED
        raise TryLater(ACK_WAIT_S, "dropped: asked for at /lab/faults")
    call.outcome = str(answer.status)
    return answer
