"""The points partner's graph: how it is reached, its indexes and its sample data.

(:Member {id, balance, held})-[:IN]->(:Household {id}), and a redemption's
(:Reservation {key, status …})-[:DRAWS {points}]->(:Member). A member's `balance` counts the points that
are held, too; `held` is the part of it that open holds have. The sums stand on the member, so that no
query walks all of a member's redemptions. A (:Heard {key, source, word}) is a word of one source about a
key.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from falkordb.asyncio.graph import AsyncGraph
from redis import exceptions
from redis.asyncio import Redis

from partners.redis import client

GRAPH = "points"
POOL_SIZE = 16

# Members with their household and points.
MEMBERS = [
    {"id": "M-1001", "household": "H-1001", "balance": 50_000},
    {"id": "M-1002", "household": "H-1002", "balance": 100},
    {"id": "M-1003", "household": "H-1002", "balance": 2_000},
    {"id": "BENCH-MEMBER", "household": "H-BENCH", "balance": 1_000_000_000},
]

INDEXES = {
    "Member": ("id",),
    "Household": ("id",),
    "Reservation": ("key", "status", "expires_at", "untold"),
    "Heard": ("key",),
}

ADD_MEMBERS = """
UNWIND $members AS sample
MERGE (household:Household {id: sample.household})
MERGE (member:Member {id: sample.id})
ON CREATE SET member.balance = sample.balance, member.opening = sample.balance, member.held = 0
MERGE (member)-[:IN]->(household)
"""

# A query that is planned before a property's name is known reads it as null, also when it runs after the
# first write of it. So every name is made known before any query uses it.
NAME_PROPERTIES = """
CREATE (known:Named {
    key: '', status: '', reference: '', amount_minor: 0, currency: '', expires_at: 0, member_id: '',
    redeem: 0, note: '', seq: 0, untold: 0, refusal: '', source: '', word: '',
    id: '', balance: 0, opening: 0, held: 0})-[:DRAWS {points: 0}]->(known)
"""
FORGET_NAMED = "MATCH (known:Named) DELETE known"

Row = list[Any]


class Graph:
    """Queries of one graph, each a transaction of its own: it takes effect wholly or not at all."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        # The package's own client asks the engine whether it is a cluster, and blocks the loop meanwhile.
        self._graph = AsyncGraph(redis, GRAPH)

    async def write(self, query: str, parameters: Mapping[str, object]) -> list[Row]:
        """The rows of a query that may write; the engine runs one such query at a time."""
        return cast("list[Row]", (await self._graph.query(query, dict(parameters))).result_set)

    async def read(self, query: str, parameters: Mapping[str, object]) -> list[Row]:
        """The rows of a query that only reads."""
        return cast("list[Row]", (await self._graph.ro_query(query, dict(parameters))).result_set)

    async def now_ms(self) -> int:
        """The engine's clock, in milliseconds.

        Queries get it as a parameter. The engine's log keeps short queries as they were sent, and a query
        without a clock of its own comes to the same end when the log is played back.
        """
        seconds, microseconds = await self.redis.time()
        return int(seconds * 1000 + microseconds // 1000)


@asynccontextmanager
async def connected(engine_url: str) -> AsyncIterator[Graph]:
    """The graph on the engine at `engine_url`; its connections are closed on leaving."""
    async with client(engine_url, "points", POOL_SIZE) as redis:
        yield Graph(redis)


async def prepare(graph: Graph) -> None:
    """Add the indexes and members that are missing; a member that is there is left as it is."""
    await graph.write(NAME_PROPERTIES, {})
    await graph.write(FORGET_NAMED, {})
    for label, fields in INDEXES.items():
        for field in fields:
            await _add_index(graph, label, field)
    await graph.write(ADD_MEMBERS, {"members": MEMBERS})


async def _add_index(graph: Graph, label: str, field: str) -> None:
    try:
        await graph.write(f"CREATE INDEX FOR (node:{label}) ON (node.{field})", {})
    except exceptions.ResponseError as error:
        if "already indexed" not in str(error):
            raise
