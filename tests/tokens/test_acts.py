"""Who did or tried what: what is written down, who sees it, and that nobody changes or floods it."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from api import act_log
from api.act_log import ActLog
from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record import acts as record
from record.acts import Act
from record.erasure import Forget
from record.pool import Pool
from record.retention import Keep, sweep
from tests.tokens.in_process import Application, application
from tests.tokens.processes import access

Json = dict[str, Any]

KEYS = f"a:{base64.b64encode(bytes(32)).decode()}"


@pytest.fixture(scope="module")
async def door(database_url: str) -> AsyncIterator[Application]:
    async with application(database_url, lab=True, refusals_per_minute=20, codec_keys=KEYS) as opened:
        yield opened


@dataclass
class Someone:
    """Calls with a token of a tenant."""

    door: Application
    token: str
    tenant: str
    name: str

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int | None, Json]:
        call = await self.door.call(method, path, self.token, json.dumps(body).encode() if body else b"")
        return call.status, json.loads(call.body) if call.body else {}

    async def acts(self) -> list[Json]:
        """The newest acts that they see."""
        status, page = await self.call("GET", "/acts?limit=500")
        assert status == 200, page
        return list(page["items"])


async def someone(door: Application, pool: Pool, *scopes: Scope, tenant: str | None = None) -> Someone:
    tenant, name = tenant or f"tenant-{uuid.uuid4()}", f"name-{uuid.uuid4()}"
    return Someone(door, await tokens.make(pool, Caller(tenant, set(scopes), name)), tenant, name)


def told(acts: list[Json], one: Someone) -> list[tuple[str, str | None, str]]:
    """What of the acts is theirs: action, target and outcome, oldest first."""
    own = [act for act in reversed(acts) if act["who"] == one.name]
    assert all(act["tenant"] == one.tenant for act in own)
    assert all(act["subject"] == one.token.partition(".")[0] for act in own)
    return [(act["action"], act["target"], act["outcome"]) for act in own]


async def test_what_is_done_and_what_is_refused_is_written_down(door: Application, pool: Pool) -> None:
    fleet = await someone(door, pool, Scope.FLEET)
    traveller = await someone(door, pool, Scope.TRAVELLER)
    override = {"override": None, "reason": "a test"}
    assert (await fleet.call("PUT", "/breakers/flight", override))[0] == 200
    assert (await fleet.call("PUT", "/breakers/flight", {"override": "ajar"}))[0] == 422
    assert (await fleet.call("DELETE", "/lab/flight"))[0] == 503
    assert (await fleet.call("GET", "/breakers"))[0] == 200
    assert (await traveller.call("POST", "/trips/none/cancel"))[0] == 404
    assert (await traveller.call("GET", "/breakers"))[0] == 403
    acts = await fleet.acts()
    assert told(acts, fleet) == [
        ("override_breaker", "flight", "done"),
        ("override_breaker", "flight", "refused"),
        ("mend_partner", "flight", "failed"),
    ]
    assert told(acts, traveller) == [("cancel_trip", "none", "refused"), ("list_breakers", None, "refused")]


@pytest.mark.parametrize("action", ["decode", "encode"])
async def test_who_has_payloads_decrypted_is_written_down(door: Application, pool: Pool, action: str) -> None:
    fleet = await someone(door, pool, Scope.FLEET)
    for _ in range(3):
        assert (await fleet.call("POST", f"/codec/{action}", {"payloads": [{"data": ""}] * 5}))[0] == 200
    assert told(await fleet.acts(), fleet) == [(f"{action}_payloads", None, "done")]
    await door.app.state.door.acts.write_counted(all_of_them=True)
    of_it = [act["times"] for act in await fleet.acts() if act["who"] == fleet.name]
    assert of_it == [2, 1]


async def test_an_operator_sees_the_own_tenants_acts_and_the_fleet_sees_all(
    door: Application, pool: Pool
) -> None:
    fleet, operator = await someone(door, pool, Scope.FLEET), await someone(door, pool, Scope.OPERATOR)
    colleague = await someone(door, pool, Scope.TRAVELLER, tenant=operator.tenant)
    stranger = await someone(door, pool, Scope.TRAVELLER)
    for one in (colleague, stranger):
        assert (await one.call("POST", "/trips/none/cancel"))[0] == 404
    seen = await operator.acts()
    assert {act["tenant"] for act in seen} == {operator.tenant}
    assert [act["action"] for act in seen] == ["cancel_trip", "make_token", "make_token"]
    everything = await fleet.acts()
    assert told(everything, stranger) == [("cancel_trip", "none", "refused")]
    assert {act["tenant"] for act in everything} > {operator.tenant, stranger.tenant}
    # Page by page it is the same.
    _, first = await operator.call("GET", "/acts?limit=1")
    _, second = await operator.call("GET", f"/acts?limit=2&cursor={first['next_cursor']}")
    assert [*first["items"], *second["items"]] == seen
    assert second["next_cursor"] is None


async def test_wrong_tokens_leave_few_rows_and_none_of_a_tenant(door: Application, pool: Pool) -> None:
    address = "2001:db8::1"
    fleet = await someone(door, pool, Scope.FLEET)
    wrong = [door.begin("GET", "/me", tokens.new_token(), address=address) for _ in range(100)]
    for call in wrong:
        await call.until_ended()
    assert {call.status for call in wrong} == {401, 429}
    rows = [act for act in await fleet.acts() if act["target"] == "2001:db8::/64"]
    assert [(row["action"], row["outcome"], row["tenant"], row["times"]) for row in rows] == [
        ("sign_in", "refused", None, 1)
    ]
    await door.app.state.door.acts.write_counted(all_of_them=True)
    rows = [act for act in await fleet.acts() if act["target"] == "2001:db8::/64"]
    assert [row["times"] for row in rows] == [99, 1]


async def test_tokens_that_are_made_and_revoked_are_written_down(
    door: Application, pool: Pool, database_url: str
) -> None:
    operator = await someone(door, pool, Scope.OPERATOR)
    words = ("make", "--tenant", operator.tenant, "--scope", "traveller", "--name", "app")
    made = await asyncio.to_thread(access, database_url, *words)
    token_id = made.stdout.split()[-1].partition(".")[0]
    for _ in range(2):
        assert (await asyncio.to_thread(access, database_url, "revoke", token_id)).returncode == 0
    of_it = [(act["action"], act["who"]) for act in await operator.acts() if act["target"] == token_id]
    assert of_it == [("revoke_token", tokens.COMMAND), ("make_token", tokens.COMMAND)]


@pytest.mark.parametrize(
    "statement",
    [
        "update acts set who = 'nobody'",
        "delete from acts",
        "truncate acts",
        "delete from acts where act_id > 0",
    ],
)
async def test_the_log_is_added_to_and_not_changed(pool: Pool, statement: str) -> None:
    await record.write(pool, [(Act("sign_in", "refused"), 1)])
    before = await pool.fetchval("select count(*) from acts")
    with pytest.raises(asyncpg.RaiseError, match="acts are not changed"):
        await pool.execute(statement)
    assert await pool.fetchval("select count(*) from acts") == before


async def test_no_act_is_written_for_another_time(pool: Pool) -> None:
    sql = """
        insert into acts (at, action, outcome, times) values ('2001-01-01', 'sign_in', 'done', 1)
        returning at = now()
        """
    assert await pool.fetchval(sql)


async def test_what_is_old_is_dropped(pool: Pool) -> None:
    mark = str(uuid.uuid4())
    await record.write(pool, [(Act("sign_in", "done", target=mark), 1)] * 2)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("alter table acts disable trigger acts_stay")
        await connection.execute(
            """
            update acts set at = at - interval '500 days'
            where act_id = (select min(act_id) from acts where target = $1)
            """,
            mark,
        )
        await connection.execute("alter table acts enable trigger acts_stay")

    async def forget(_trips: object) -> None:
        raise NotImplementedError

    await sweep(pool, Keep(acts=timedelta(days=400)), Forget(forget, forget))
    assert await pool.fetchval("select count(*) from acts where target = $1", mark) == 1


async def test_refusals_of_many_kinds_are_few_rows(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act_log, "MOST", 3)
    now, mark = 1000.0, str(uuid.uuid4())
    log = ActLog(pool, lambda: now)

    async def rows() -> dict[str, int]:
        found = await pool.fetch(
            "select target, sum(times) as times from acts where action = $1 group by target", mark
        )
        return {row["target"]: row["times"] for row in found}

    for number in range(10):
        await log.note(Act(mark, "refused", target=f"address-{number}"))
    assert await rows() == {"address-0": 1, "address-1": 1, "address-2": 1, act_log.OTHERS: 1}
    await log.write_counted()
    assert (await rows())[act_log.OTHERS] == 1, "its minute is not over"
    now += act_log.WINDOW_S
    await log.write_counted()
    assert (await rows())[act_log.OTHERS] == 7
    await log.note(Act(mark, "refused", target="address-9"))
    assert (await rows())["address-9"] == 1
    # What was done is never left out.
    for number in range(5):
        await log.note(Act(mark, "done", target=f"done-{number}"))
    assert (await rows()).keys() >= {f"done-{number}" for number in range(5)}
