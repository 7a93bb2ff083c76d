"""The clients of the partners: each has connections of its own, so that no partner holds up another."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from serving.client import HttpClient, open_client
from serving.upstream import Upstream
from trip.partner import Partner


@asynccontextmanager
async def open_clients(upstreams: Mapping[Partner, Upstream]) -> AsyncIterator[dict[Partner, HttpClient]]:
    """A client for each partner. Enter it in the running loop."""
    async with AsyncExitStack() as stack:
        yield {
            partner: await stack.enter_async_context(open_client(upstream))
            for partner, upstream in upstreams.items()
        }
