"""`python -m trials.traces`: book a trip whose flight fails twice, and write its trace to the docs."""

import asyncio

from stack.system import ROOT
from trials.orders import order
from trials.polling import until
from trials.receiver import Received, Receiver, receiving, tree
from trials.world import QUIET, Ground, fresh_ground

PAGE = ROOT / "docs" / "telemetry.md"
BEGIN, END = "<!-- trace -->", "<!-- end of trace -->"
ROOT_SPAN, LAST_SPAN = "POST /trips", "RunWorkflow:BookTrip"
WARM_UP = 20


async def trace_of(receiver: Receiver, trip_id: str, *names: str) -> list[Received]:
    """The spans of the trip's trace, once those with these names have come, and the parent of each."""

    async def is_whole() -> bool:
        spans = receiver.of(trip_id)
        orphans = {span.parent_id for span in spans} - {span.span_id for span in spans} - {""}
        return {span.name for span in spans} >= set(names) and not orphans

    await until(is_whole, within_s=60)
    return receiver.of(trip_id)


async def one_trace() -> str:
    """The trace of one trip, in a system of its own, as a tree."""
    with receiving() as receiver:
        async with fresh_ground(QUIET | receiver.environment()) as ground:
            return await _booked(ground, receiver)


async def _booked(ground: Ground, receiver: Receiver) -> str:
    for _ in range(WARM_UP):
        await ground.traveller.book(order(), wait=30)
    await ground.traveller.break_partner("flight", error_rate=1, status=503, verbs=["PUT"], count=2)
    trip = await ground.traveller.book(order(), wait=30)
    return tree(await trace_of(receiver, trip["trip_id"], ROOT_SPAN, LAST_SPAN))


def main() -> None:
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n```\n{asyncio.run(one_trace())}\n```\n\n{END}{after}")


if __name__ == "__main__":
    main()
