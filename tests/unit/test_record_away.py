"""Only the record's own connection says that the record is away."""

import asyncio

import aiohttp
import pytest

from api.app import create_app
from config.settings import Settings
from record.pool import RecordAway, open_pool
from record.trips import backlog
from tests.serving import served

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RecordAway("no answer"), 503, "record_unavailable"),
        (TimeoutError("of something else"), 500, "internal"),
        (OSError("of something else"), 500, "internal"),
    ],
)
async def test_the_front_door_takes_no_other_error_for_it(error: Exception, status: int, code: str) -> None:
    app = create_app(Settings.model_validate({"DATABASE_URL": NOWHERE}), asyncio.Event())

    async def fail() -> None:
        raise error

    app.add_api_route("/fail", fail)
    async with served(app) as port, aiohttp.ClientSession() as http:
        answer = await http.get(f"http://127.0.0.1:{port}/fail")
        assert (answer.status, (await answer.json())["code"]) == (status, code)


async def test_a_record_that_is_not_there_is_away() -> None:
    async with open_pool(NOWHERE) as pool:
        with pytest.raises(RecordAway):
            await backlog(pool, "orchestration", at_most=1)
