"""Who takes part. A peer is one entry of CONTESTANTS, which contest, failing trips and page follow."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import uuid4

from stack import postgres
from stack.parts import Part, answering
from stack.ports import free_port
from trials import cpu
from trials.bench.contest import plain, restate_server
from trials.bench.contest.calls import Refused, Unanswered, call_partner
from trials.load import Booked
from trials.orders import Json
from trials.world import QUIET, Ground, Stage, fresh_ground
from trip.order import Coordination

SETTINGS = QUIET | {
    # For this project and its peers alike; by default a trip that fails takes half a minute.
    "TRIPS_RETRY_BASE_S": "0.2",
    "TRIPS_RETRY_CAP_S": "2",
    "TRIPS_RETRY_ATTEMPTS": "5",
}
WAIT_S = 60
ORCHESTRATED, CHOREOGRAPHED = "orchestrated", "choreographed"


class Arena(NamedTuple):
    """The system and, by name, the addresses of the peers."""

    ground: Ground
    peers: Mapping[str, str]


Book = Callable[[Arena, Json], Awaitable[Booked]]


def _no_parts(_stage: Stage, _port: int) -> Sequence[Part]:
    return ()


@dataclass(frozen=True)
class Contestant:
    """`book` has one trip booked, and returns once it has ended.

    `left_out` says why it cannot take part on this machine.
    `processes` are the beginnings of the names of its own processes. `parts` makes those that the system
    does not have anyway; one of them may listen on the given port. `is_saga`: it undoes a trip that fails.
    """

    name: str
    title: str
    book: Book
    processes: tuple[str, ...] = ()
    parts: Callable[[Stage, int], Sequence[Part]] = _no_parts
    is_saga: bool = False
    has_breaker: bool = False
    left_out: str | None = None

    @property
    def is_on_temporal(self) -> bool:
        return "temporal" in self.processes


def _at_the_front_door(coordination: Coordination) -> Book:
    async def book(arena: Arena, order: Json) -> Booked:
        trip = await arena.ground.traveller.book(order | {"coordination": coordination}, WAIT_S)
        return Booked(trip["trip_id"], trip["status"])

    return book


def _on_temporal(workflow: str, task_queue: str) -> Book:
    async def book(arena: Arena, order: Json) -> Booked:
        trip_id = f"{task_queue}-{uuid4()}"
        arguments = [] if workflow == "Bare" else [order]
        status = await arena.ground.temporal.execute_workflow(
            workflow, args=arguments, id=trip_id, task_queue=task_queue
        )
        return Booked(trip_id, status)

    return book


def _over_http(peer: str, path: str = "/trips/{}") -> Book:
    async def book(arena: Arena, order: Json) -> Booked:
        trip_id = f"{peer}-{uuid4()}"
        url = arena.peers[peer] + path.format(trip_id)
        async with arena.ground.http.post(url, json=order) as answer:
            answer.raise_for_status()
            return Booked(trip_id, (await answer.json())["status"])

    return book


async def _book_plainly(arena: Arena, order: Json) -> Booked:
    trip_id, ground = f"plain-{uuid4()}", arena.ground

    async def call(verb: str, partner: str, body: Json | None) -> int:
        return await call_partner(ground.http, ground.world.partners[partner], verb, trip_id, body)

    try:
        await plain.book(call, order)
    except (Refused, Unanswered) as error:
        return Booked(trip_id, str(error))
    return Booked(trip_id, "confirmed")


def _temporal_worker(module: str) -> Callable[[Stage, int], Sequence[Part]]:
    def parts(stage: Stage, _port: int) -> Sequence[Part]:
        return [_peer(stage, module)]

    return parts


def _dbos(stage: Stage, port: int) -> Sequence[Part]:
    database = stage.postgres_url(postgres.SUPERUSER, "contest_dbos")
    part = replace(_peer(stage, "dbos_saga"), ready=answering(f"{stage.url(port)}/healthz"))
    return [replace(part, env={**part.env, "PEER_DATABASE_URL": database, "PEER_PORT": str(port)})]


def _restate(stage: Stage, port: int) -> Sequence[Part]:
    admin, own_port = free_port(), free_port()
    admin_url = f"http://127.0.0.1:{admin}"
    saga = _peer(stage, "restate_saga", "restate")
    env = {**saga.env, "RESTATE_ADMIN_URL": admin_url, "PEER_PORT": str(own_port)}
    return [
        restate_server.part(stage.data_dir / "restate", port, admin),
        replace(saga, ready=answering(f"{admin_url}/services/Trip"), env=env),
    ]


def _peer(stage: Stage, module: str, *needs: str) -> Part:
    return stage.further(module, "trials.bench.contest.peer", module, needs=("migrate", "temporal", *needs))


CONTESTANTS = (
    Contestant(
        ORCHESTRATED,
        "this project, orchestrated",
        _at_the_front_door("orchestration"),
        cpu.SAGA,
        is_saga=True,
        has_breaker=True,
    ),
    Contestant(
        CHOREOGRAPHED,
        "this project, choreographed",
        _at_the_front_door("choreography"),
        cpu.CHOREOGRAPHY,
        is_saga=True,
        has_breaker=True,
    ),
    Contestant(
        "textbook",
        "textbook saga, same server",
        _on_temporal("Textbook", "textbook"),
        ("temporal", "textbook"),
        _temporal_worker("textbook"),
        is_saga=True,
        has_breaker=True,
    ),
    Contestant(
        "bare",
        "five no-op activities, same server",
        _on_temporal("Bare", "bare"),
        ("temporal", "bare"),
        _temporal_worker("bare"),
    ),
    Contestant(
        "dbos", "same saga on DBOS, same PostgreSQL", _over_http("dbos"), ("dbos_saga",), _dbos, is_saga=True
    ),
    Contestant(
        "restate",
        f"same saga on Restate {restate_server.VERSION}",
        _over_http("restate", "/restate/call/Trip/{}/book"),
        ("restate",),
        _restate,
        is_saga=True,
        left_out=restate_server.absent(),
    ),
    Contestant("plain", "ten calls in plain asyncio", _book_plainly),
)
TAKING_PART = tuple(one for one in CONTESTANTS if not one.left_out)


@contextlib.asynccontextmanager
async def fresh_arena() -> AsyncIterator[Arena]:
    ports = {one.name: free_port() for one in TAKING_PART}

    def with_peers(stage: Stage, parts: list[Part]) -> list[Part]:
        return [*parts, *(part for one in TAKING_PART for part in one.parts(stage, ports[one.name]))]

    async with fresh_ground(SETTINGS, arrange=with_peers) as ground:
        yield Arena(ground, {name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
