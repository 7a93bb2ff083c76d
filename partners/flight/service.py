"""The service that `python -m partners flight` runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from partners.flight.declaration import STAY
from partners.flight.engine import add_sample, connected
from partners.flight.store import FlightStore
from partners.inventory import stock_view
from partners.redis import CALL_TIMEOUT_S, ENGINE_ERRORS
from partners.service import PartnerService


@asynccontextmanager
async def _opened(engine_url: str, hold_s: float) -> AsyncIterator[FlightStore]:
    async with connected(engine_url) as engine:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await add_sample(engine)
        yield FlightStore(engine, hold_s)


service = PartnerService(declaration=STAY, engine_errors=ENGINE_ERRORS, open=_opened, audit=stock_view)
