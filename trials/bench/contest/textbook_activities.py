"""The two activities of the textbook's saga."""

from dataclasses import dataclass

import aiohttp
import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError

from config.settings import settings
from trials.bench.contest.calls import Refused, call_partner
from trials.bench.contest.orders import Json
from trip.partner import Partner

STATE = "select coalesce(override, state) from breakers where partner = $1"


@dataclass
class Call:
    """One call to a partner; `key` is the trip's id."""

    verb: str
    partner: str
    key: str
    body: Json | None = None


class PartnerActivities:
    """Share connections to the partners and to the breakers' table."""

    def __init__(self, http: aiohttp.ClientSession, pool: asyncpg.Pool) -> None:
        self._http = http
        self._pool = pool

    @activity.defn
    async def check_breaker(self, partner: str) -> None:
        """Fails for good where the partner's breaker is open."""
        if await self._pool.fetchval(STATE, partner) == "open":
            raise ApplicationError(f"{partner}: its breaker is open", non_retryable=True)

    @activity.defn
    async def call(self, call: Call) -> int:
        """The reservation's price in minor units."""
        try:
            url = settings().partner_url(Partner(call.partner))
            return await call_partner(self._http, url, call.verb, call.key, call.body)
        except Refused as refused:
            raise ApplicationError(str(refused), non_retryable=True) from refused
