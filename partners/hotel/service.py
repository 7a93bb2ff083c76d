"""The service that `python -m partners hotel` runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from partners.hotel.database import ENGINE_ERRORS, connected, prepare
from partners.hotel.declaration import STAY
from partners.hotel.store import HotelStore
from partners.inventory import stock_view
from partners.service import PartnerService


@asynccontextmanager
async def _opened(engine_url: str, hold_s: float) -> AsyncIterator[HotelStore]:
    async with connected(engine_url) as client:
        yield HotelStore(client, await prepare(client), hold_s)


service = PartnerService(declaration=STAY, engine_errors=ENGINE_ERRORS, open=_opened, audit=stock_view)
