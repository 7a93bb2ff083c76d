"""What the partners on Redis's protocol share: a bounded, self-mending client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECT_TIMEOUT_S = 2.0
CALL_TIMEOUT_S = 5.0

ENGINE_ERRORS: tuple[type[Exception], ...] = (exceptions.RedisError,)
"""An engine that answers with an error is of no use either: its disk may be full, or it may be loading."""


@asynccontextmanager
async def client(engine_url: str, name: str, connections: int) -> AsyncIterator[Redis]:
    """A client of at most `connections` to the engine at `engine_url`; they are closed on leaving."""
    pool = BlockingConnectionPool.from_url(
        engine_url,
        max_connections=connections,
        # A burst waits for a connection as long as a call may take.
        timeout=CALL_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=CALL_TIMEOUT_S,
        # Every call is safe to repeat; a connection that the engine's restart has cut fails but once.
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
        client_name=f"partner-{name}",
    )
    try:
        yield Redis(connection_pool=pool)
    finally:
        await pool.aclose()
