"""Who waits at a front door that has to end is answered, and comes back to another."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp

from tests.conftest import RunningSystem
from tests.system.freezing import frozen
from tests.system.test_events import another_door, answers, authorization
from tests.system.test_idempotency import booked_for
from tests.system.test_supervision import eventually
from trials.orders import Json, own_order
from trials.traveller import Traveller

WAITING = 30
WAIT_S = 60
"""Before the server cuts off what is open."""


async def test_sigterm_answers_who_waits_and_ends_streams(
    traveller: Traveller, system: RunningSystem, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    body = own_order()
    await traveller.break_partner("hotel", latency_ms=60_000)
    with another_door(system, tmp_path / "log") as (url, pid):
        await answers(http, url)
        waiting = [asyncio.create_task(post(http, url, system, body)) for _ in range(WAITING)]

        async def all_accepted() -> bool:
            return len(await booked_for(traveller, body)) == WAITING

        await eventually(all_accepted)
        ids = await booked_for(traveller, body)
        seen: list[str] = []
        reading = asyncio.create_task(read_ids(http, f"{url}/trips/{ids[0]}/events", system, seen))

        async def has_begun() -> bool:
            return bool(seen)

        # The first event has to be there before the end.
        await eventually(has_begun)
        begun = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        found = await asyncio.gather(*waiting)
        took_s = time.monotonic() - begun
        await reading
    await traveller.mend_partner("hotel")
    assert {status for status, _, _ in found} == {202}
    assert {place for _, place, _ in found} == {f"/trips/{trip_id}" for trip_id in ids}
    assert {answer["status"] for _, _, answer in found} == {"booking"}
    assert took_s < WAIT_S / 2
    rest = [event async for event in traveller.events(ids[0], after=seen[-1])]
    assert rest[-1].trip["status"] == "confirmed"
    assert {(await traveller.until(trip_id))["status"] for trip_id in ids} == {"confirmed"}


async def post(
    http: aiohttp.ClientSession, url: str, system: RunningSystem, body: Json
) -> tuple[int, str | None, Any]:
    headers = authorization(system) | {"Prefer": f"wait={WAIT_S}"}
    async with http.post(f"{url}/trips", json=body, headers=headers) as answer:
        return answer.status, answer.headers.get("Location"), await answer.json()


async def read_ids(http: aiohttp.ClientSession, url: str, system: RunningSystem, seen: list[str]) -> None:
    """Note the id of each event of a stream that ends as it should."""
    async with http.get(url, headers=authorization(system)) as stream:
        async for line in stream.content:
            name, _, value = line.decode().strip().partition(": ")
            if name == "id":
                seen.append(value)


async def test_a_call_that_is_cut_off_is_answered_503(
    system: RunningSystem, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with another_door(system, tmp_path / "log") as (url, pid):
        await answers(http, url)
        with frozen(system, "postgres"):
            reading = asyncio.create_task(read_code(http, f"{url}/trips", system))
            done, _ = await asyncio.wait([reading], timeout=0.5)
            assert not done, "it waits for the record"
            os.kill(pid, signal.SIGTERM)
            assert await reading == (503, "stopping")


async def read_code(http: aiohttp.ClientSession, url: str, system: RunningSystem) -> tuple[int, str]:
    async with http.get(url, headers=authorization(system)) as answer:
        return answer.status, (await answer.json())["code"]
