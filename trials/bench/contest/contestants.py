"""Who takes part, and how the driver has each of them book one trip and is told how it ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

from trials.bench.contest import plain
from trials.bench.contest.ground import Ground
from trials.bench.contest.orders import Json
from trials.bench.contest.peer import DBOS

WAIT = {"Prefer": "wait=60"}


class Booked(NamedTuple):
    """A trip's id, which is every partner's idempotency key, and `confirmed` or how else it ended."""

    trip_id: str
    status: str


Book = Callable[[Ground, Json], Awaitable[Booked]]


@dataclass(frozen=True)
class Contestant:
    """`processes` are its own, by the beginning of their names in the run directory."""

    name: str
    title: str
    book: Book
    processes: tuple[str, ...] = ()

    @property
    def is_on_temporal(self) -> bool:
        """Whether the Temporal server carries its trips."""
        return "temporal" in self.processes


async def _book_here(ground: Ground, order: Json) -> Booked:
    async with ground.front_door.post(f"{ground.api}/trips", json=order, headers=WAIT) as answer:
        trip = await answer.json()
    if answer.status not in (200, 202):
        raise RuntimeError(f"POST /trips answered {answer.status}: {trip}")
    return Booked(trip["trip_id"], trip["status"])


def _on_temporal(workflow: str, task_queue: str) -> Book:
    async def book(ground: Ground, order: Json) -> Booked:
        trip_id = f"{task_queue}-{uuid4()}"
        arguments = [] if workflow == "Bare" else [order]
        status = await ground.temporal.execute_workflow(
            workflow, args=arguments, id=trip_id, task_queue=task_queue
        )
        return Booked(trip_id, status)

    return book


async def _book_on_dbos(ground: Ground, order: Json) -> Booked:
    trip_id = f"dbos-{uuid4()}"
    async with ground.http.post(f"{ground.peers[DBOS]}/trips/{trip_id}", json=order) as answer:
        answer.raise_for_status()
        return Booked(trip_id, (await answer.json())["status"])


async def _book_plainly(ground: Ground, order: Json) -> Booked:
    trip_id = f"plain-{uuid4()}"
    await plain.book(ground.http, ground.partners, trip_id, order)
    return Booked(trip_id, "confirmed")


CONTESTANTS = (
    Contestant(
        name="trips",
        title="this project",
        book=_book_here,
        processes=("temporal", "worker-", "api"),
    ),
    Contestant(
        name="textbook",
        title="textbook saga, same server",
        book=_on_temporal("Textbook", "textbook"),
        processes=("temporal", "textbook"),
    ),
    Contestant(
        name="bare",
        title="five no-op activities, same server",
        book=_on_temporal("Bare", "bare"),
        processes=("temporal", "bare"),
    ),
    Contestant(
        name="dbos",
        title="same saga on DBOS, same PostgreSQL",
        book=_book_on_dbos,
        processes=("dbos_saga",),
    ),
    Contestant(
        name="plain",
        title="ten calls in plain asyncio",
        book=_book_plainly,
    ),
)
