"""What a caller of the record sees of a PostgreSQL that goes away."""

import asyncio
import struct
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from record.pool import RecordAway, connected
from tests.partners.proxy import Proxy
from tests.pooler import Way

_FIELDS = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection because of crash of another server process\0\0"
CRASH = b"E" + struct.pack("!i", len(_FIELDS) + 4) + _FIELDS


async def test_a_connection_that_is_told_of_a_crash_is_away_and_is_not_used_again(
    way: Way,
) -> None:
    """The server's last word has come, and the end of the connection has not: as when a backend is killed."""
    proxy = Proxy(way.url)
    url = urlsplit(await proxy.start())
    heard, speaker = await asyncio.open_connection(url.hostname, url.port)
    try:
        async with replace(way, url=url.geturl()).open(size=1) as pool:
            async with connected(pool) as connection:
                assert await connection.fetchval("select 1") == 1
            proxy.say(CRASH)
            await heard.readexactly(len(CRASH))
            with pytest.raises(RecordAway) as raised:
                async with connected(pool) as connection:
                    await connection.fetchval("select 1")
            assert isinstance(raised.value.__cause__, asyncpg.InternalClientError)
            async with connected(pool) as connection:
                assert await connection.fetchval("select 1") == 1
    finally:
        speaker.close()
        await proxy.stop()
