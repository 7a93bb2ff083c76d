"""The service that `python -m partners points` runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from partners.points.declaration import POINTS
from partners.points.graph import connected, prepare
from partners.points.members import members_view
from partners.points.store import PointsStore
from partners.redis import CALL_TIMEOUT_S, ENGINE_ERRORS
from partners.service import PartnerService


@asynccontextmanager
async def _opened(engine_url: str, hold_s: float) -> AsyncIterator[PointsStore]:
    async with connected(engine_url) as graph:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await prepare(graph)
        yield PointsStore(graph, hold_s)


service = PartnerService(declaration=POINTS, engine_errors=ENGINE_ERRORS, open=_opened, audit=members_view)
