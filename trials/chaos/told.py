"""The crash matrix of choreographed trips: each process dies at each moment, and trips end whole or undone.

The partners' lab brings each trip to its moment, by a fault that hits its message alone. Then the broker is
stopped, so that nobody tells anything more until the kill has hit the trips.
"""

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from partners.catalogue import PARTNERS
from trials.chaos.client import Client
from trials.chaos.matrix import END_LIMIT_S, TRIES, mend, ready
from trials.chaos.moments import STAY_MS, Missed, book, cancel, reached, set_faults
from trials.chaos.plan import BROKER
from trials.chaos.verdict import faults_of, final
from trials.orders import STAYS, Json, bench_order
from trials.report import NONE, table
from trip.partner import PAYMENT, POINTS, Partner

PROCESSES = ("api", "trips", BROKER, *Partner, *sorted({partner.engine for partner in PARTNERS}))

AT_ONCE = 4
"""`trips` tells again of a trip that stands still for two seconds: as many come to their moments by then."""
LOADED_TRIPS = 20
LOADED_CALLS = 10
DROPPED = "dropped"


class Moment(NamedTuple):
    """A moment of a trip: its last call at `step` waits, or was dropped: it took effect, and is not told.

    `calls`: how many messages the step waits for. `ends`: how the trip ends.
    """

    name: str
    step: Partner
    verb: str
    outcome: str | None = None
    ends: str = "confirmed"
    calls: int = 1


@dataclass(frozen=True)
class Placed:
    """A trip that was brought to its moment, and how it has to end."""

    moment: str
    trip_id: str
    ends: str


@dataclass(frozen=True)
class Outcome:
    """How a trip ended after a kill, after how long, and what is wrong with it."""

    processes: tuple[str, ...]
    moment: str
    trip_id: str
    status: str
    took_s: float
    wrong: tuple[str, ...]


HOTEL, TOUR, FLIGHT = Partner("hotel"), Partner("tour"), Partner("flight")
PAYING = Moment("the payment is about to be held", PAYMENT, "PUT")
WITHDRAWN = Moment("a withdrawal is told, a stay is about to release", FLIGHT, "DELETE", ends="cancelled")
WAITING = (
    Moment("requested is told, a stay is about to hold", HOTEL, "PUT"),
    Moment("points are about to be held", POINTS, "PUT", calls=len(STAYS)),
    PAYING,
    Moment("bought is told, the capture is about to be made", PAYMENT, "confirm"),
    Moment("captured is told, a stay is about to confirm", TOUR, "confirm"),
    Moment("a refusal is told, a stay is about to release", HOTEL, "DELETE", ends="failed"),
    WITHDRAWN,
)
UNTOLD = (
    Moment("a hold is made and not told", FLIGHT, "PUT", DROPPED),
    Moment("the capture is made and not told", PAYMENT, "confirm", DROPPED),
    Moment("a confirmation is made and not told", HOTEL, "confirm", DROPPED),
    Moment("a release is made and not told", TOUR, "DELETE", DROPPED, "failed"),
)
ACCEPTED = Moment("accepted, and nothing is told", HOTEL, "PUT")
DECIDED = Moment("a withdrawal is decided and not told", PAYMENT, "PUT", ends="cancelled")
MOMENTS = (*WAITING, ACCEPTED, DECIDED, *UNTOLD)
LOADED = "under load"


def batches(count: int) -> list[list[Moment]]:
    """All moments in so many parts that are alike."""
    return [list(MOMENTS[first::count]) for first in range(count)]


def quick_groups() -> list[tuple[tuple[str, ...], list[Moment]]]:
    """Every kind of process, each at some of the moments. A hotel that is elsewhere has an adapter."""
    processes = (("trips", "api"), (BROKER, f"{HOTEL}-adapter"), ("postgres", "redis"), tuple(Partner))
    return list(zip(processes, batches(len(processes)), strict=True))


async def run_all(client: Client) -> list[Outcome]:
    """Kill each process at every moment, and each partner under load."""
    found = []
    for process in PROCESSES:
        for moments in batches(-(-len(MOMENTS) // AT_ONCE)):
            found += await run_group(client, (process,), moments)
    for partner in Partner:
        found += await run_loaded(client, (partner,))
    return found


async def run_group(client: Client, processes: Sequence[str], moments: Sequence[Moment]) -> list[Outcome]:
    """Bring a trip to each of the moments, kill, and judge how the trips end. Raises Missed after TRIES."""
    placed = await _placed(client, moments)
    try:
        for process in processes:
            client.world.kill(process)
    finally:
        client.world.signal(BROKER, signal.SIGCONT)
    return await _judged(client, processes, placed)


async def run_loaded(client: Client, processes: Sequence[str]) -> list[Outcome]:
    """Kill while many trips are under way, and judge how they end."""
    await ready(client)

    async def busy() -> bool:
        pages = [await client.lab("GET", name, "/lab/calls?limit=100000") for name in processes]
        return all(page is not None and len(page["items"]) >= LOADED_CALLS for page in pages)

    orders = [bench_order(coordination="choreography") for _ in range(LOADED_TRIPS)]
    booking = asyncio.gather(*(book(client, order) for order in orders))
    await reached(busy, LOADED)
    for process in processes:
        client.world.kill(process)
    placed = [Placed(LOADED, trip_id, "confirmed") for trip_id in await booking]
    return await _judged(client, processes, placed)


async def _placed(client: Client, moments: Sequence[Moment]) -> list[Placed]:
    for _ in range(TRIES - 1):
        await ready(client)
        try:
            return await _at_their_moments(client, moments)
        except Missed:
            await mend(client)
    return await _at_their_moments(client, moments)


async def _at_their_moments(client: Client, moments: Sequence[Moment]) -> list[Placed]:
    # What is not told is told by its partner's relay in a second or two, so it comes last.
    trips = {moment: await _brought(client, moment) for moment in sorted(moments, key=UNTOLD.__contains__)}
    client.world.signal(BROKER, signal.SIGSTOP)
    try:
        if ACCEPTED in trips:
            trips[ACCEPTED] = await _book(client)
        if DECIDED in trips:
            cancel(client, trips[DECIDED])
            await reached(partial(_is_compensating, client, trips[DECIDED]), DECIDED.name)
        for moment, trip_id in trips.items():
            await _check(client, moment, trip_id)
    except Missed:
        client.world.signal(BROKER, signal.SIGCONT)
        raise
    return [Placed(moment.name, trip_id, moment.ends) for moment, trip_id in trips.items()]


async def _brought(client: Client, moment: Moment) -> str:
    """A trip that stands at the moment, or before it if the broker has to be stopped first. Raises Missed."""
    if moment is ACCEPTED:
        return ""
    if moment is WITHDRAWN:
        trip_id = await _brought(client, PAYING)
        await _set(client, moment)
        cancel(client, trip_id)
    else:
        await _set(client, moment)
        trip_id = await _book(client, is_declined=moment.ends == "failed")
    await reached(partial(_stands, client, moment, trip_id), moment.name)
    return trip_id


async def _book(client: Client, *, is_declined: bool = False) -> str:
    card_token = "tok_declined" if is_declined else "tok_visa"
    return await book(client, bench_order(card_token=card_token, coordination="choreography"))


async def _set(client: Client, moment: Moment) -> None:
    fault: Json = {"latency_ms": STAY_MS} if moment.outcome is None else {"drop_reply_rate": 1.0}
    await set_faults(client, (moment.step, fault | {"count": moment.calls, "verbs": [moment.verb]}))


async def _check(client: Client, moment: Moment, trip_id: str) -> None:
    if not await _stands(client, moment, trip_id):
        raise Missed(moment.name)


async def _stands(client: Client, moment: Moment, trip_id: str) -> bool:
    calls = await client.lab_calls(moment.step, trip_id)
    if moment is ACCEPTED:
        return not calls
    last = [(call["verb"], call["outcome"]) for call in calls[-moment.calls :]]
    return last == [(moment.verb, moment.outcome)] * moment.calls


async def _is_compensating(client: Client, trip_id: str) -> bool:
    return bool((await client.trip(trip_id))["status"] == "compensating")


async def _judged(client: Client, processes: Sequence[str], placed: Sequence[Placed]) -> list[Outcome]:
    started = time.monotonic()

    async def judged(one: Placed) -> Outcome:
        trip = await final(client, one.trip_id, END_LIMIT_S)
        took_s = time.monotonic() - started
        wrong = await faults_of(client, trip, [one.ends])
        return Outcome(tuple(processes), one.moment, one.trip_id, trip["status"], took_s, tuple(wrong))

    return list(await asyncio.gather(*map(judged, placed)))


def shown(outcomes: Sequence[Outcome]) -> str:
    """How many seconds after each process's death the trip at each moment ended; the last one under load."""
    took: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        took.setdefault((one.moment, one.processes[0]), []).append(one)
    moments = list(dict.fromkeys(one.moment for one in outcomes))
    ends = {one.moment: one.status for one in outcomes if not one.wrong}
    rows = (
        (moment, ends.get(moment, NONE), *(_shown(took.get((moment, process), [])) for process in PROCESSES))
        for moment in moments
    )
    return table(("moment", "ended", *PROCESSES), rows)


def _shown(outcomes: Sequence[Outcome]) -> str:
    if any(one.wrong for one in outcomes):
        return "WRONG"
    return f"{max(one.took_s for one in outcomes):.1f} s" if outcomes else NONE
