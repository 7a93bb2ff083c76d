"""What all pools on PostgreSQL share: which errors say that it is away, and how connections are kept."""

import asyncpg

AWAY: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.PostgresSystemError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""`InternalClientError` comes from a connection that was told of its end and is not closed yet.

`ReadOnlySQLTransactionError` comes from a server that was the primary until a failover.
"""


async def reset_nothing(_connection: asyncpg.Connection) -> None:
    """For a pool whose callers leave nothing on a connection. It spares a round trip after each call."""


async def drop_if_read_only(pool: asyncpg.Pool, error: Exception) -> None:
    """Replace all connections of the pool if `error` says that the server takes no writes any more."""
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        await pool.expire_connections()
