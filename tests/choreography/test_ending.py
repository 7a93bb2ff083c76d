"""A connection to the broker ends, however far it has come."""

import asyncio

import pytest

from choreography.broker import connected
from stack.ports import free_port
from tests.patience import PATIENCE_S

TURNS = 12


@pytest.mark.parametrize("turns", range(TURNS))
async def test_a_connection_that_is_being_made_is_ended(turns: int) -> None:
    """However far it has come: each turn of the loop is one step of its."""
    async with asyncio.timeout(PATIENCE_S), connected(f"nats://127.0.0.1:{free_port()}", "tests"):
        for _ in range(turns):
            await asyncio.sleep(0)
