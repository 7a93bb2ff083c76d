"""Whose points a token redeems: those of its own members and of its tenant's, if that is looked at."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import Pool
from tests.tokens.in_process import Application, application
from tests.tokens.issuer import IssuerServer
from tests.tokens.processes import access
from trip.examples import example_order

ORDER = example_order(date.today() + timedelta(days=30))
BODY = json.dumps(ORDER).encode()
WITHOUT_POINTS = json.dumps({name: part for name, part in ORDER.items() if name != "points"}).encode()
MEMBER = ORDER["traveller"]["member_id"]


@pytest.fixture(scope="module")
async def door(database_url: str) -> AsyncIterator[Application]:
    async with application(database_url, members="own") as opened:
        yield opened


async def token_of(pool: Pool, tenant: str) -> str:
    return await tokens.make(pool, Caller(tenant, {Scope.TRAVELLER}, "a test"))


async def test_a_members_points_are_the_members_tenants(
    door: Application, pool: Pool, database_url: str
) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    token, stranger = await token_of(pool, tenant), await token_of(pool, f"tenant-{uuid.uuid4()}")
    refused = await door.call("POST", "/trips", token, BODY)
    assert (refused.status, json.loads(refused.body)["code"]) == (403, "member_forbidden")
    assert json.loads(refused.body)["errors"][0]["field"] == "traveller.member_id"
    # Nobody's points are redeemed by an order without any.
    assert (await door.call("POST", "/trips", token, WITHOUT_POINTS)).status == 202

    words = ("members", "--tenant", tenant, "--add", MEMBER, "M-OTHER", "--remove", "M-OTHER")
    ended = await asyncio.to_thread(access, database_url, *words)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{MEMBER}\n", "")
    assert (await door.call("POST", "/trips", token, BODY)).status == 202
    assert (await door.call("POST", "/trips", stranger, BODY)).status == 403


async def test_any_members_points_are_redeemed_unless_it_is_set(database_url: str, pool: Pool) -> None:
    token = await token_of(pool, f"tenant-{uuid.uuid4()}")
    async with application(database_url) as door:
        assert (await door.call("POST", "/trips", token, BODY)).status == 202


@pytest.mark.parametrize(
    ("claim", "status"),
    [(MEMBER, 202), (["M-OTHER", MEMBER], 202), ("M-OTHER", 403), ([7, {}], 403), (None, 403)],
    ids=str,
)
async def test_a_claim_names_the_tokens_own_members(database_url: str, claim: object, status: int) -> None:
    issuer = IssuerServer()
    await issuer.start()
    told = issuer.settings()
    async with application(database_url, members="own", **told) as door:
        token = issuer.sign(member_id=claim, tenant=f"tenant-{uuid.uuid4()}")
        assert (await door.call("POST", "/trips", token, BODY)).status == status
    await issuer.stop()
