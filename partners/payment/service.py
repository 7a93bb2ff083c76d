"""The service that `python -m partners payment` runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from partners.payment.declaration import PAYMENT
from partners.payment.statements import STATEMENTS
from partners.payment.store import PaymentStore, ledger_view
from partners.postgres.database import opened_pool
from partners.service import PartnerService
from serving.postgres import AWAY

SCHEMA = Path(__file__).with_name("schema.sql")


@asynccontextmanager
async def _opened(engine_url: str, hold_s: float) -> AsyncIterator[PaymentStore]:
    async with opened_pool(engine_url, "payment", SCHEMA) as pool:
        yield PaymentStore(pool, STATEMENTS, hold_s)


service = PartnerService(declaration=PAYMENT, engine_errors=AWAY, open=_opened, audit=ledger_view)
