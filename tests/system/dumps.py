"""Everything that the stores of a running system hold, as text: each table, collection and key."""

import json
from typing import Any

import asyncpg
from bson import json_util
from falkordb.asyncio.graph import AsyncGraph
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S

_TABLES = """
    select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')
    """
_ROWS = "select coalesce(json_agg(row_to_json(one)), '[]')::text from {}.{} as one"


async def dumped(system: RunningSystem) -> dict[str, str]:
    """By store and table, collection or key. The points' members are left out: they are its own accounts."""
    engines = system.engines
    return {
        **await _postgres(system.superuser_url),
        **await _mongo(engines["hotel"]),
        **await _redis(engines["flight"]),
        **await _graph(engines["points"]),
    }


async def _postgres(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url, timeout=PATIENCE_S)
    try:
        tables = [".".join(row) for row in await connection.fetch(_TABLES)]
        return {table: await connection.fetchval(_ROWS.format(*table.split("."))) for table in tables}
    finally:
        await connection.close()


async def _mongo(url: str) -> dict[str, str]:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        return {
            f"hotel.{name}": json_util.dumps(await database[name].find().to_list())
            for name in await database.list_collection_names()
        }


async def _redis(url: str) -> dict[str, str]:
    reads = {"hash": Redis.hgetall, "zset": lambda redis, key: redis.zrange(key, 0, -1)}
    async with Redis.from_url(url, decode_responses=True) as redis:
        return {
            f"flight.{key}": json.dumps(await reads[str(await redis.type(key))](redis, key))
            async for key in redis.scan_iter(count=1000)
        }


async def _graph(url: str) -> dict[str, str]:
    async with Redis.from_url(url, decode_responses=True) as redis:
        graph = AsyncGraph(redis, "points")
        nodes = await graph.query("MATCH (n) WHERE NOT n:Member RETURN labels(n), properties(n)")
        drawn = await graph.query("MATCH (r:Reservation)-[:DRAWS]->(m:Member) RETURN r.key, m.id")
    return {"points.nodes": json.dumps(nodes.result_set), "points.edges": json.dumps(drawn.result_set)}
