"""The flight partner's engine: how it is reached, its keys and its sample data.

| key | holds |
| --- | --- |
| `{flight}:flight:FLIGHT` | hash: price and seats a day of a flight |
| `{flight}:day:FLIGHT/DATE` | hash: total, held and confirmed seats of a day |
| `{flight}:days` | sorted set of all `FLIGHT/DATE`, in the order of their names |
| `{flight}:reservation:KEY` | hash: a reservation; it never expires, so that a closed key stays closed |
| `{flight}:keys`, `{flight}:keys:STATUS` | sorted sets of reservation keys, in the order of their names |
| `{flight}:due` | sorted set of the keys held, by their expiry in milliseconds |
| `{flight}:untold` | sorted set of the keys whose present state is not marked as told, by its time |
| `{flight}:heard:KEY` | hash: what was heard of a key, by source |

The braces put all of them on one node of a Redis Cluster, where a script may touch no other.

A reservation that takes part in a choreographed saga has a `note` and a `seq`, too, and a `refusal` if one
closed its key.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis

from partners.redis import client

PREFIX = "{flight}:"
CURRENCY = "JPY"
POOL_SIZE = 50

# Price a seat in minor units, and seats a day.
FLIGHTS = {"NH847": (32_000, 200), "JL123": (28_000, 200), "BENCH-FLIGHT": (100, 10_000_000)}

_SCRIPTS = Path(__file__).with_name("scripts")


class Engine:
    """Commands and scripts on one Redis, each with a time limit."""

    def __init__(self, redis: Redis) -> None:
        common = (_SCRIPTS / "common.lua").read_text("utf-8")
        self.redis = redis
        self._scripts = {
            script.stem: redis.register_script(common + script.read_text("utf-8"))
            for script in _SCRIPTS.glob("*.lua")
            if script.stem != "common"
        }

    async def run(self, name: str, *arguments: str | int) -> list[Any]:
        """What the script `name` answers; it is one atomic step."""
        return cast("list[Any]", await self._scripts[name](keys=[PREFIX], args=arguments))

    async def names(self, index: str, limit: int, after: str | None) -> Sequence[str]:
        """At most `limit` members of an index in their order, those after the name `after`."""
        start = "-" if after is None else f"({after}"
        return cast("list[str]", await self.redis.zrangebylex(PREFIX + index, start, "+", start=0, num=limit))

    async def untold(self, limit: int) -> Sequence[str]:
        """At most `limit` keys whose present state is not marked as told, those left longest first."""
        ordered = self.redis.zrangebyscore(f"{PREFIX}untold", "-inf", "+inf", start=0, num=limit)
        return cast("list[str]", await ordered)

    async def write(self, name: str, fields: Mapping[str, str]) -> None:
        """Write these fields of the hash of this name."""
        await self.redis.hset(PREFIX + name, mapping=dict(fields.items()))

    async def hashes(self, names: Sequence[str]) -> list[dict[str, str]]:
        """The hashes of these names, in one round trip."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hgetall(PREFIX + name)
            return cast("list[dict[str, str]]", await pipeline.execute())


@asynccontextmanager
async def connected(engine_url: str) -> AsyncIterator[Engine]:
    """The engine at `engine_url`; its connections are closed on leaving."""
    async with client(engine_url, "flight", POOL_SIZE) as redis:
        yield Engine(redis)


async def add_sample(engine: Engine) -> None:
    """Add the flights that are missing; one that is there is left as it is."""
    async with engine.redis.pipeline(transaction=True) as pipeline:
        for flight_no, (price_minor, seats) in FLIGHTS.items():
            name = f"{PREFIX}flight:{flight_no}"
            pipeline.hsetnx(name, "price_minor", str(price_minor))
            pipeline.hsetnx(name, "currency", CURRENCY)
            pipeline.hsetnx(name, "seats", str(seats))
        await pipeline.execute()
