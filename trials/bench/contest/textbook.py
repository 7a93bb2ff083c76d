"""The saga as textbooks write it: before each call an activity that checks the breaker, one after another."""

import os
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import aiohttp
    import asyncpg

    from config.settings import settings
    from stack.runner import stop_event
    from trials.bench.contest.calls import Refused, call_partner, open_session
    from trials.orders import PARTNERS, Json, hold
    from trip.partner import Partner

LIMIT = timedelta(seconds=10)
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=settings().retry_base_s),
    maximum_interval=timedelta(seconds=settings().retry_cap_s),
    maximum_attempts=settings().retry_attempts,
)
RETRY_FOR_EVER = RetryPolicy(initial_interval=RETRY.initial_interval, maximum_interval=RETRY.maximum_interval)
STATE = "select coalesce(override, state) from breakers where partner = $1"


@dataclass
class Call:
    verb: str
    partner: str
    key: str
    body: Json | None = None


class PartnerActivities:
    def __init__(self, http: aiohttp.ClientSession, pool: asyncpg.Pool) -> None:
        self._http = http
        self._pool = pool

    @activity.defn
    async def check_breaker(self, partner: str) -> None:
        """Fails for good if the partner's breaker is open."""
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


@workflow.defn(name="Textbook")
class TextbookTrip:
    """Books one trip; its id is every partner's idempotency key."""

    @workflow.run
    async def run(self, order: Json) -> str:
        """`confirmed`, or `failed` with everything undone."""
        sent: list[str] = []
        try:
            await self._book(order, sent)
        except ActivityError:
            for partner in reversed(sent):
                await self._call("release", partner)
            return "failed"
        return "confirmed"

    async def _book(self, order: Json, sent: list[str]) -> None:
        due = 0
        for partner in PARTNERS:
            await self._check_breaker(partner)
            sent.append(partner)
            due += await self._call("hold", partner, hold(order, partner, due))
        for partner in reversed(PARTNERS):
            await self._check_breaker(partner)
            await self._call("confirm", partner)

    async def _check_breaker(self, partner: str) -> None:
        await workflow.execute_activity_method(
            PartnerActivities.check_breaker, partner, start_to_close_timeout=LIMIT, retry_policy=RETRY
        )

    async def _call(self, verb: str, partner: str, sent: Json | None = None) -> int:
        return await workflow.execute_activity_method(
            PartnerActivities.call,
            Call(verb, partner, workflow.info().workflow_id, sent),
            start_to_close_timeout=LIMIT,
            retry_policy=RETRY_FOR_EVER if verb == "release" else RETRY,
        )


async def serve() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    async with (
        open_session() as http,
        asyncpg.create_pool(settings().database_url, command_timeout=5) as pool,
    ):
        activities = PartnerActivities(http, pool)
        async with Worker(
            client,
            task_queue="textbook",
            workflows=[TextbookTrip],
            activities=[activities.check_breaker, activities.call],
        ):
            await stop_event().wait()
