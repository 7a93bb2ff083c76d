"""The adapter of a partner that speaks HTTP alone, and answers that are late, lost or useless."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from calling.http import Answer, PartnerHttp
from choreography.acting import Unanswered
from choreography.delivery import TryLater
from choreography.facts import Facts, fold
from choreography.http_partner import HttpPartner
from guard.policy import BreakerPolicy
from guard.view import Breakers
from partners.participant import Noted, Refusal
from partners.store import Code, DifferentBody, Refused, Status, UnknownKey
from serving.client import open_client
from serving.upstream import Upstream
from tests.choreography.guarded import guarding
from tests.choreography.partner import BACKOFF, Ear, Talk
from tests.conftest import RunningSystem
from tests.partners.cases import CASES
from tests.partners.client import Client, new_key
from tests.partners.conftest import BRIEF_S
from tests.partners.rows import NOTE, asked, is_untold, stood, tell
from tests.partners.test_participation_table import test_an_engine_does_what_the_table_says as agree
from tests.patience import PATIENCE_S
from tests.serving import served
from trip.calls import PartnerCall
from trip.partner import (
    PARTNER_ANSWER_INVALID,
    PARTNER_REFUSED,
    Partner,
    Reservation,
    ReservationStatus,
    Verb,
)

TOUR = Partner("tour")
CASE = next(case for case in CASES if case.name == TOUR)


@pytest.fixture
def tour(adapters: dict[Partner, HttpPartner]) -> HttpPartner:
    return adapters[TOUR]


@pytest.fixture
async def client(system: RunningSystem, http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    """The partner without the adapter."""
    client = Client(http, system.partners[TOUR])
    yield client
    await client.call("DELETE", "/lab/faults")


@pytest.fixture
def key() -> str:
    return new_key()


@pytest.fixture
def body() -> Any:
    return asked(CASE, CASE.good())


async def calls(client: Client, key: str) -> list[str]:
    """The verbs of the calls that the partner has received."""
    _, found = await client.call("GET", f"/lab/calls?key={key}")
    return [call["verb"] for call in found["items"]]


async def stands(client: Client, key: str) -> str:
    """The status that the partner itself shows."""
    status, found = await client.get(key)
    return str(found["status"]) if status == 200 else str(status)


async def test_a_hold_whose_answer_was_lost_is_released(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    await client.call("PUT", "/lab/faults", {"drop_reply_rate": 1.0, "verbs": ["PUT"], "count": 1})
    with pytest.raises(Unanswered):
        await tour.hold(key, body, NOTE)
    assert await stands(client, key) == Status.HELD
    assert await tour.written(key) is None

    assert (await tour.release(key, NOTE)).status is Status.RELEASED
    assert await stands(client, key) == Status.RELEASED
    assert await is_untold(tour, key)


async def test_a_hold_whose_answer_was_lost_is_found_again(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    await client.call("PUT", "/lab/faults", {"drop_reply_rate": 1.0, "verbs": ["PUT"], "count": 1})
    with pytest.raises(Unanswered):
        await tour.hold(key, body, NOTE)
    with pytest.raises(DifferentBody):
        await tour.hold(key, asked(CASE, CASE.good()), NOTE)
    held, _ = await tour.hold(key, body, NOTE)
    assert held == await tour.written(key)
    assert held.reference == (await client.get(key))[1]["reference"]
    await tour.release(key)


async def test_a_refusal_is_told_once_the_key_is_closed_at_the_partner(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    """An attempt before the one that was refused may take effect yet."""
    await client.call("PUT", "/lab/faults", {"drop_reply_rate": 1.0, "verbs": ["PUT"], "count": 1})
    with pytest.raises(Unanswered):
        await tour.hold(key, body, NOTE)
    await client.call("PUT", "/lab/faults", {"error_rate": 1.0, "verbs": ["DELETE"], "count": 1})
    refusal = Refusal(code="sold_out", message="no seat is left")
    with pytest.raises(Unanswered):
        await tour.refuse(key, refusal, NOTE)
    assert await tour.written(key) is None
    assert (await tour.refuse(key, refusal, NOTE)).refusal == refusal
    assert await stands(client, key) == Status.RELEASED


async def test_what_was_never_asked_is_closed_without_the_partner(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    await client.call("PUT", "/lab/faults", {"down": True})
    released = await tour.release(key, NOTE)
    assert released.status is Status.RELEASED
    with pytest.raises(Refused):
        await tour.hold(key, body, NOTE)
    assert await calls(client, key) == []


@dataclass(frozen=True)
class Late(PartnerHttp):
    """The first hold reaches the partner only when it may, and the first release never does.

    So does a partner that does not close a key that it has never seen.
    """

    may_arrive: asyncio.Event = field(default_factory=asyncio.Event)
    is_out: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, verb: Verb, partner: Partner, call: PartnerCall, limit_s: float) -> Answer:
        if verb is Verb.RELEASE and not self.may_arrive.is_set():
            return Reservation(key=call.key, status=ReservationStatus.RELEASED)
        if verb is Verb.RESERVE:
            self.is_out.set()
            await self.may_arrive.wait()
        return await super().send(verb, partner, call, limit_s)


async def test_a_hold_that_comes_after_the_close_is_released(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    http = Late(tour.http.clients)
    slow = replace(tour, http=http)
    holding = asyncio.create_task(slow.hold(key, body, NOTE))
    await http.is_out.wait()
    await slow.release(key, NOTE)
    told = await tell(slow, key)

    await client.call("PUT", "/lab/faults", {"error_rate": 1.0, "verbs": ["DELETE"], "count": 1})
    http.may_arrive.set()
    with pytest.raises(Unanswered):
        await holding
    assert await stands(client, key) == Status.HELD
    # The message comes again.
    with pytest.raises(Refused) as refused:
        await slow.hold(key, body, NOTE)
    assert refused.value.code is Code.CLOSED
    assert await stands(client, key) == Status.RELEASED
    assert await calls(client, key) == ["PUT", "DELETE", "DELETE"]
    # Others know already.
    assert (await stood(slow, key)).seq == told
    assert not await is_untold(slow, key)


async def test_a_release_is_told_once_it_got_through(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    await tour.hold(key, body, NOTE)
    told = await tell(tour, key)
    await client.call("PUT", "/lab/faults", {"error_rate": 1.0, "verbs": ["DELETE"], "count": 3})
    for _ in range(3):
        with pytest.raises(Unanswered):
            await tour.release(key, NOTE)
        assert not await is_untold(tour, key)
    released = await tour.release(key, NOTE)
    assert isinstance(released, Noted)
    assert (released.status, released.seq) == (Status.RELEASED, told + 1)
    await tell(tour, key)
    assert await tour.release(key, NOTE) == released
    assert not await is_untold(tour, key)
    assert (await calls(client, key)).count("DELETE") == 4


@pytest.fixture
async def engine(system: RunningSystem) -> AsyncIterator[asyncpg.Pool]:
    """The partner's own database."""
    async with asyncpg.create_pool(system.engines[TOUR], min_size=0, timeout=PATIENCE_S) as pool:
        yield pool


async def end_time(engine: asyncpg.Pool, key: str, in_s: float = 0) -> None:
    """Let the hold's time be over."""
    soon = timedelta(seconds=in_s)
    await engine.execute("UPDATE tour.reservations SET expires_at = now() + $2 WHERE key = $1", key, soon)


async def test_an_expiry_is_learnt_from_the_confirmation(
    tour: HttpPartner, engine: asyncpg.Pool, key: str, body: Any
) -> None:
    await tour.hold(key, body, NOTE)
    told = await tell(tour, key)
    await end_time(engine, key)
    with pytest.raises(Refused) as refused:
        await tour.confirm(key)
    assert refused.value.code is Code.EXPIRED
    row = await stood(tour, key)
    assert (row.status, row.seq) == (Status.EXPIRED, told + 1)
    assert await is_untold(tour, key)
    with pytest.raises(Refused):
        await tour.hold(key, body, NOTE)


@dataclass(frozen=True)
class Brief(HttpPartner):
    """Its holds are soon over."""

    engine: asyncpg.Pool
    keys: list[str]

    async def hold(self, key: str, body: Any, note: str | None = None) -> tuple[Any, bool]:
        found = await super().hold(key, body, note)
        await end_time(self.engine, key, BRIEF_S)
        self.keys.append(key)
        return found


@dataclass(frozen=True)
class Sweeping(HttpPartner):
    """Finds the holds that are over, by asking for their confirmation."""

    engine: asyncpg.Pool
    keys: list[str]

    async def expire_due(self) -> None:
        over = "SELECT key FROM tour.reservations WHERE key = ANY($1::text[]) AND expires_at <= now()"
        for row in await self.engine.fetch(over, self.keys):
            with suppress(Refused):
                await self.confirm(row["key"])


async def test_the_adapter_does_what_the_table_says(tour: HttpPartner, engine: asyncpg.Pool) -> None:
    parts, keys = (tour.me, tour.steps, tour.guard, tour.http), list[str]()
    store: Any = Sweeping(*parts, engine, keys)
    brief: Any = Brief(*parts, engine, keys)
    await agree(CASE, store, brief)


async def test_what_the_partner_closed_by_itself_is_told_as_released(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    await tour.hold(key, body, NOTE)
    await client.release(key)
    with pytest.raises(Refused) as refused:
        await tour.confirm(key)
    assert refused.value.code is Code.CLOSED
    assert (await stood(tour, key)).status is Status.RELEASED
    assert await calls(client, key) == ["PUT", "DELETE", "confirm", "DELETE"]


async def test_only_what_is_held_is_confirmed(tour: HttpPartner, client: Client, key: str, body: Any) -> None:
    with pytest.raises(UnknownKey):
        await tour.confirm(key)
    await tour.arrive(key, "hotel", "48000")
    with pytest.raises(UnknownKey):
        await tour.confirm(key)
    await tour.hold(key, body, NOTE)
    await tour.confirm(key)
    assert (await tour.confirm(key)).status is Status.CONFIRMED
    assert await calls(client, key) == ["PUT", "confirm"]
    await tour.release(key)


@asynccontextmanager
async def answering(tour: HttpPartner, *responses: Response) -> AsyncIterator[HttpPartner]:
    """The adapter of a partner that answers so, the last response again and again."""
    left = list(responses)

    async def respond(_request: Request) -> Response:
        return left.pop(0) if len(left) > 1 else left[0]

    app = Starlette(routes=[Route("/{path:path}", respond, methods=["PUT", "POST", "DELETE"])])
    async with served(app) as port, open_client(Upstream(f"http://127.0.0.1:{port}")) as client:
        yield replace(tour, http=PartnerHttp({TOUR: client}))


def held(key: str, **changes: Any) -> Response:
    """A usable answer to a hold, but for the changes."""
    answer = {"key": key, "reference": "R", "status": "held", "amount_minor": 5, "currency": "JPY"}
    return JSONResponse(answer | changes)


async def test_a_useless_answer_is_not_final(tour: HttpPartner, key: str, body: Any) -> None:
    other_currency = held(key, currency="USD")
    async with answering(tour, Response(b"<html>", 201), other_currency, held(key)) as odd:
        for _ in range(2):
            with pytest.raises(Unanswered) as unanswered:
                await odd.hold(key, body, NOTE)
            assert unanswered.value.code == PARTNER_ANSWER_INVALID
            assert await odd.written(key) is None
        await odd.hold(key, body, NOTE)
        assert (await stood(odd, key)).status is Status.HELD
    async with answering(tour, held(key, status="confirmed", amount_minor=6)) as dear:
        with pytest.raises(Unanswered, match="amount 6, not 5"):
            await dear.confirm(key)
        assert (await stood(dear, key)).status is Status.HELD


async def test_a_partner_that_never_answers_usably_fails_its_step(tour: HttpPartner) -> None:
    talk = Talk(TOUR, CASE.good(), new_key())
    async with answering(tour, Response(b"<html>", 201)) as odd:
        ear = Ear(TOUR, odd)
        for attempt in (1, BACKOFF.attempts):
            with pytest.raises(TryLater):
                await ear.hears(talk.asks(), attempt)
        heard = fold(Facts(), ear.broker.heard).of(TOUR)
    trouble = heard.trouble[Verb.RESERVE]
    assert trouble.given_up
    assert trouble.error.code == PARTNER_ANSWER_INVALID


async def test_a_refusal_without_a_code_is_final(tour: HttpPartner, key: str, body: Any) -> None:
    async with answering(tour, Response(status_code=400)) as odd:
        with pytest.raises(Refused) as refused:
            await odd.hold(key, body, NOTE)
        assert refused.value.code == PARTNER_REFUSED


async def test_a_partner_that_asks_for_time_gets_it(tour: HttpPartner, key: str, body: Any) -> None:
    async with answering(tour, Response(status_code=503, headers={"Retry-After": "7"})) as busy:
        with pytest.raises(Unanswered) as unanswered:
            await busy.hold(key, body, NOTE)
        assert unanswered.value.after_s == 7


async def test_an_open_breaker_keeps_calls_out(
    tour: HttpPartner, client: Client, key: str, body: Any
) -> None:
    strict = BreakerPolicy(min_calls=2, failures_in_a_row=2)
    # Their store is away, so that no other breaker opens with them.
    async with Breakers("postgresql://127.0.0.1:1/nowhere", strict, [TOUR]) as breakers:
        guarded = replace(tour, guard=guarding(breakers))
        await client.call("PUT", "/lab/faults", {"error_rate": 1.0, "count": 2})
        for _ in range(2):
            with pytest.raises(Unanswered):
                await guarded.hold(key, body, NOTE)
        with pytest.raises(TryLater, match="breaker is open") as later:
            await guarded.hold(key, body, NOTE)
        assert later.value.after_s
        with pytest.raises(TryLater):
            await guarded.release(key, NOTE)
    assert await calls(client, key) == ["PUT", "PUT"]
    assert await tour.written(key) is None
    # The key was closed before the partner could be asked.
    with pytest.raises(Refused):
        await tour.hold(key, body, NOTE)
    assert (await stood(tour, key)).status is Status.RELEASED
    assert await calls(client, key) == ["PUT", "PUT", "DELETE"]
