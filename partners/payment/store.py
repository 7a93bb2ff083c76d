"""The payment partner's store on PostgreSQL, its sample cards and its audit view."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from partners.payment.declaration import Payment
from partners.payment.statements import LEDGER
from partners.postgres.database import fetch
from partners.postgres.store import PostgresStore
from partners.store import Code, Refused, Reservation, UnknownKey
from serving.problems import documented
from serving.routes import StrictRoute

# The cards that are approved, and how long their issuers take, in seconds.
APPROVAL_S = {"tok_visa": 0.0, "tok_slow": 3.0}


class Balance(BaseModel):
    """What went into an account less what came out of it, in minor units."""

    account: str
    currency: str
    balance_minor: int


class Ledger(BaseModel):
    """The balances of all accounts; those of a currency sum to 0."""

    accounts: list[Balance]


class PaymentStore(PostgresStore[Payment]):
    """Payments: a hold authorises, a confirmation captures, a release voids or refunds."""

    async def hold(self, key: str, body: Payment, note: str | None = None) -> tuple[Reservation, bool]:
        """As Participant.hold. A slow issuer is waited for before the database is asked for anything."""
        approval_s = APPROVAL_S.get(body.card_token)
        if approval_s == 0:
            return await super().hold(key, body, note)
        try:
            return await self.repeat(key, body, note), False
        except UnknownKey:
            if approval_s is None:
                raise Refused(Code.DECLINED, "the card's issuer declined; use another card") from None
        await asyncio.sleep(approval_s)
        return await super().hold(key, body, note)

    async def ledger(self) -> Ledger:
        """The balance of every account."""
        return Ledger(accounts=[Balance(**row) for row in await fetch(self._pool, LEDGER)])


def ledger_view(store: PaymentStore) -> APIRouter:
    """What the payment partner serves for the audit."""
    router = APIRouter(route_class=StrictRoute)

    @router.get("/ledger", responses=documented(401, 503))
    async def ledger() -> Ledger:
        """The balance of every account."""
        return await store.ledger()

    return router
