"""The backlog of a front door, without a server: what one tenant may take of it."""

import json
import uuid
from datetime import date, timedelta

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import open_pool
from tests.guard.own_postgres import OwnPostgres
from tests.record.empty import empty_schema
from tests.tokens.in_process import application
from trip.examples import example_order

BODY = json.dumps(example_order(date.today() + timedelta(days=30))).encode()


async def test_a_tenant_whose_share_is_taken_leaves_room_for_others(server: OwnPostgres) -> None:
    async with empty_schema(server.database_url) as url, open_pool(url, size=1) as pool:
        first, second = [
            await tokens.make(pool, Caller(f"tenant-{uuid.uuid4()}", {Scope.TRAVELLER}, "a test"))
            for _ in range(2)
        ]
        async with application(url, backlog=8) as door:
            calls = [await door.call("POST", "/trips", first, BODY) for _ in range(6)]
            assert [call.status for call in calls] == [202] * 4 + [503] * 2
            assert json.loads(calls[-1].body)["code"] == "backlog_full"
            calls = [await door.call("POST", "/trips", second, BODY) for _ in range(3)]
            assert [call.status for call in calls] == [202] * 2 + [503]
        assert await pool.fetchval("select count(*) from trips") == 6
        # The next front door learns it from the record.
        async with application(url, backlog=8) as door:
            assert (await door.call("POST", "/trips", first, BODY)).status == 503
