"""A partner in the test's own process that twists what it answers, and a worker's activities before it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.journal import Journal
from activities.partners import PartnerCalls
from activities.shared import Shared
from config.clients import open_clients
from config.settings import Settings
from guard.guard import Guard
from guard.permit import Permit
from guard.policy import Outcome
from guard.view import Breakers
from record.notices import Notices
from record.pool import open_pool
from tests.answers.twists import Sent, Twist, honest
from trip.calls import PartnerCall, Terms
from trip.partner import CallError, Partner, PartnerAnswer, Verb, activity_name

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
KEY = "a-trip"
REDEEM, PRICE = 500, 18_000
HELD = {"flight": PRICE, "points": -REDEEM, "payment": PRICE}
"""What each kind of partner holds, in minor units."""

VERBS = {"PUT": Verb.RESERVE, "POST": Verb.CONFIRM, "DELETE": Verb.RELEASE}
STATUSES = {Verb.RESERVE: "held", Verb.CONFIRM: "confirmed", Verb.RELEASE: "released"}


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Any], **site: Any) -> AsyncIterator[int]:
    """The port on which every request is handled while the context is open."""
    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, **site).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Heard(Breakers):
    """Breakers that also remember what they were told, oldest first."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.outcomes: list[Outcome] = []

    async def record(
        self, permit: Permit, outcome: Outcome, duration_s: float, error: str | None = None
    ) -> None:
        self.outcomes.append(outcome)
        await super().record(permit, outcome, duration_s, error)


@dataclass
class Bench:
    """One worker's call activities before one twisting partner; `requests` are those that it received."""

    activities: dict[str, Any]
    breakers: Heard
    twist: Twist = honest
    delay_s: float = 0
    requests: list[web.Request] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        await asyncio.sleep(self.delay_s)
        verb, partner = VERBS[request.method], request.path.split("/")[1]
        sent = self.twist(_honest(verb, partner))
        content_type = {"Content-Type": "application/json"}
        return web.Response(status=sent.status, body=sent.body, headers=content_type | sent.headers)

    async def call(self, verb: Verb, partner: str, twist: Twist = honest) -> PartnerAnswer | ApplicationError:
        """One attempt."""
        self.twist = twist
        self.requests.clear()
        self.breakers.outcomes.clear()
        try:
            answer: PartnerAnswer = await ActivityEnvironment().run(
                self.activities[activity_name(verb, Partner(partner))], call_of(verb, partner)
            )
        except ApplicationError as error:
            return error
        return answer


def call_of(verb: Verb, partner: str) -> PartnerCall:
    """The call as the saga makes it."""
    exact = (HELD[partner], HELD[partner])
    least, most = {"flight": (0, 10**12), "points": (-REDEEM, 0)}.get(partner, exact)
    if verb is Verb.CONFIRM:
        least, most = exact
    terms = Terms(currency="JPY", least_minor=least, most_minor=most, now=datetime.now(UTC))
    return PartnerCall(key=KEY, body={}, terms=None if verb is Verb.RELEASE else terms)


def reason(error: ApplicationError) -> CallError:
    found = error.details[0]
    assert isinstance(found, CallError)
    return found


def _honest(verb: Verb, partner: str) -> Sent:
    reservation = {
        "key": KEY,
        "reference": f"{partner}-1",
        "status": STATUSES[verb],
        "amount_minor": HELD[partner],
        "currency": "JPY",
        "expires_at": (datetime.now(UTC) + timedelta(minutes=15)).isoformat(),
    }
    return Sent(200, json.dumps(reservation).encode())


@asynccontextmanager
async def opened_bench() -> AsyncIterator[Bench]:
    """A bench whose breakers never open, so that each call of a table goes out."""
    async with AsyncExitStack() as stack:
        bench = Bench({}, None)  # type: ignore[arg-type]  # both are made below
        port = await stack.enter_async_context(serving(bench.handle))
        told: dict[str, Any] = {f"{name}_url": f"http://127.0.0.1:{port}/{name}" for name in HELD}
        told |= {"breaker_min_calls": 10_000, "breaker_failures_in_a_row": 10_000}
        config = Settings(**told)
        policy = config.breaker_policy()
        bench.breakers = await stack.enter_async_context(Heard(NOWHERE, policy, list(Partner)))
        clients = await stack.enter_async_context(open_clients(config.upstreams()))
        backoffs = {partner.value: config.backoff(partner) for partner in Partner}
        pool = open_pool(NOWHERE)
        guard = Guard(bench.breakers, backoffs, config.retry_budget())
        shared = Shared(guard, pool, Journal(pool), Notices(pool))
        calls = PartnerCalls(config, clients, shared).activities()
        names = [activity_name(verb, partner) for verb in Verb for partner in Partner]
        bench.activities = dict(zip(names, calls, strict=True))
        yield bench
