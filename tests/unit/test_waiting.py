"""Coming back to a partner after waiting for its breaker: in the real activities, with the store away."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.attempt import Carried
from activities.breakers import BreakerChecks
from activities.journal import Journal
from activities.partners import PartnerCalls
from activities.shared import Shared
from config.clients import open_clients
from config.settings import Settings
from guard.guard import Guard, Reason
from guard.view import Breakers
from record.notices import Notices
from record.pool import open_pool
from trip.calls import BreakerCheck, BreakerFinding, PartnerCall
from trip.partner import Partner, Patience, Verb, activity_name

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
CONFIG = Settings(flight_url="http://127.0.0.1:1")
CHECK = BreakerCheck(trip_id="a-trip", partners=[Partner("flight"), Partner("payment")], wait=True)
CALL = PartnerCall(key="a-trip", patience=Patience.WAIT)
WAITED = Carried(by_server=1, has_waited=True)


@pytest.fixture
async def activities() -> AsyncIterator[dict[str, Any]]:
    """The activities of one worker, by their names."""
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_clients(CONFIG.upstreams()))
        breakers = await stack.enter_async_context(Breakers(NOWHERE, CONFIG.breaker_policy(), list(Partner)))
        pool = open_pool(NOWHERE)
        backoffs = {partner.value: CONFIG.backoff(partner) for partner in Partner}
        shared = Shared(Guard(breakers, backoffs, CONFIG.retry_budget()), pool, Journal(pool), Notices(pool))
        looks = BreakerChecks(shared)
        calls = PartnerCalls(CONFIG, clients, shared).activities()
        names = [activity_name(verb, partner) for verb in Verb for partner in Partner]
        yield dict(zip(names, calls, strict=True)) | {"check_breaker": looks.check_breaker}


async def run(
    activity: Any, given: object, carried: Carried | None = None, attempt: int = 2
) -> tuple[object, list[Carried]]:
    """One attempt, with what the one before it left: its result or failure, and what it leaves."""
    environment = ActivityEnvironment()
    left: list[Carried] = []
    environment.on_heartbeat = left.append
    if carried is not None:
        environment.info = replace(
            environment.info, attempt=attempt, heartbeat_details=[carried.model_dump(mode="json")]
        )
    try:
        return await environment.run(activity, given), left
    except ApplicationError as error:
        return error, left


def delay_s(failure: object) -> float:
    assert isinstance(failure, ApplicationError) and failure.next_retry_delay is not None
    return failure.next_retry_delay.total_seconds()


async def test_those_who_waited_come_back_one_after_another(activities: dict[str, Any]) -> None:
    check = activities["check_breaker"]
    first, _ = await run(check, CHECK, WAITED)
    second, left = await run(check, CHECK, WAITED)
    third, _ = await run(check, CHECK, WAITED)
    new, _ = await run(check, CHECK)
    assert first == new == BreakerFinding(open_at=None)
    assert 0 < delay_s(second) <= 1 < delay_s(third) <= 2
    in_its_place, _ = await run(check, CHECK, left[-1])
    assert in_its_place == BreakerFinding(open_at=None)


async def test_holds_that_waited_take_a_place_and_undos_go_first(activities: dict[str, Any]) -> None:
    for verb in (Verb.CONFIRM, Verb.RELEASE, Verb.RESERVE):
        sent, left = await run(activities[activity_name(verb, Partner("flight"))], CALL, WAITED)
        assert isinstance(sent, ApplicationError) and Reason.NOT_ITS_TURN not in sent.message
        assert left[-1] == Carried(made=1, by_server=2)
    put_off, left = await run(activities["reserve_flight"], CALL, WAITED)
    assert 0 < delay_s(put_off) <= 1
    assert left[-1].made == WAITED.made


@pytest.mark.parametrize(("attempt", "made"), [(5, 2), (7, 4), (1, 2)])
async def test_attempts_are_counted_on_whatever_the_server_counts(
    activities: dict[str, Any], attempt: int, made: int
) -> None:
    """The next one, one after two lost attempts, and the first after `temporal activity reset`."""
    before = Carried(made=1, by_server=4)
    _, left = await run(activities["release_flight"], CALL, before, attempt)
    assert left[-1] == Carried(made=made, by_server=attempt)
