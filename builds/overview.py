"""Every build in a table: where new trips go, who polls, and which trips keep a build from being stopped."""

import asyncio
from collections.abc import Iterator, Sequence

from temporalio.client import Client

from builds.deployment import Routing, routing
from builds.trips import OF_TRIPS, RUNNING, STUCK, count, of_build
from temporal import attributes
from temporal.pollers import polled

HEAD = ("build", "state", "workers", "open trips", "need attention")
NO_BUILD = "(none)"


async def overview(client: Client) -> str:
    """The table. Without the last column, if the namespace lacks the search attributes. Raises RPCError."""
    found, polling = await asyncio.gather(routing(client), polled(client))
    builds = [] if found is None else [one.build for one in found.builds]
    counted = [RUNNING] if await attributes.missing(client) else [RUNNING, f"{RUNNING} and {STUCK}"]
    of_builds = [await _counts(client, f"{OF_TRIPS} and {of_build(build)}", counted) for build in builds]
    every = await _counts(client, OF_TRIPS, counted)
    others = [total - sum(named) for total, *named in zip(every, *of_builds, strict=True)]
    rows = [
        (build or NO_BUILD, _state(found, build), polling.workers.get(build, 0), *counts)
        for build, counts in zip([*builds, None], [*of_builds, others], strict=True)
    ]
    return "\n".join(_lines([HEAD[: 3 + len(counted)], *rows]))


async def _counts(client: Client, which: str, counted: Sequence[str]) -> list[int]:
    return await asyncio.gather(*(count(client, f"{which} and {what}") for what in counted))


def _state(found: Routing | None, build: str | None) -> str:
    if build is None:
        return "current" if found is None or found.shares.current is None else "-"
    assert found is not None
    if found.shares.percent and found.shares.ramping == build:
        return f"ramping, {found.shares.percent:g} %"
    return next(one.state for one in found.builds if one.build == build)


def _lines(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for name, state, *numbers in rows:
        left = (str(name).ljust(widths[0]), str(state).ljust(widths[1]))
        right = (str(number).rjust(width) for number, width in zip(numbers, widths[2:], strict=True))
        yield "  ".join((*left, *right))
