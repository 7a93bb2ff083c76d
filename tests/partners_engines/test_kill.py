"""Nothing acknowledged is lost, and nothing is half done, where an engine or its client is killed with -9."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from typing import Any

from partners.store import Status
from tests.partners_engines.cases import Case
from tests.partners_engines.engines import Engine, away, eventually, opened
from tests.patience import PATIENCE_S

WRITERS = 8
CONFIRMED_BEFORE_THE_KILL = 40

# Holds and confirms for ever, and says so after each.
CLIENT = """
import asyncio, sys
from tests.partners_engines.cases import CASES

async def book(store, body, writer):
    n = 0
    while True:
        n += 1
        await store.hold(f"client-{writer}-{n}", body)
        print(n, flush=True)
        await store.confirm(f"client-{writer}-{n}")

async def main(name, url):
    case = next(case for case in CASES if case.service.declaration.name == name)
    async with case.service.open(url, 900) as store:
        await asyncio.gather(*(book(store, case.plenty, writer) for writer in range(4)))

asyncio.run(main(*sys.argv[1:]))
"""


async def sums(case: Case, store: Any) -> tuple[int, int]:
    """Held and confirmed of what `plenty` takes, by the engine's sums."""
    if case.service.declaration.name == "points":
        member = await store.member("BENCH-MEMBER")
        return member.held, 1_000_000_000 - member.balance
    pairs = {(row.held, row.confirmed) for row in await store.inventory(500, None)}
    assert len(pairs) <= 1
    return pairs.pop() if pairs else (0, 0)


async def recorded(store: Any) -> dict[str, Status]:
    """Every reservation's status, read page by page."""
    found: dict[str, Status] = {}
    last = None
    while page := await store.list(None, 500, last):
        found |= {entry.key: entry.status for entry in page}
        last = page[-1].key
    return found


def counted(found: dict[str, Status]) -> tuple[int, int]:
    by_status = Counter(found.values())
    return by_status[Status.HELD], by_status[Status.CONFIRMED]


async def book(case: Case, store: Any, writer: int, done: set[str]) -> None:
    n = 0
    while True:
        n += 1
        await store.hold(f"{writer}-{n}", case.plenty)
        await store.confirm(f"{writer}-{n}")
        done.add(f"{writer}-{n}")


async def test_engine_killed_keeps_what_it_acknowledged(case: Case, engine: Engine) -> None:
    done: set[str] = set()
    async with opened(case.service, engine, 900) as store:
        async with asyncio.timeout(PATIENCE_S):
            writers = [asyncio.create_task(book(case, store, n, done)) for n in range(WRITERS)]
            while len(done) < CONFIRMED_BEFORE_THE_KILL:
                await asyncio.sleep(0.005)
            await engine.kill()
            answers = await asyncio.gather(*writers, return_exceptions=True)
        assert all(isinstance(answer, away(case.service)) for answer in answers), answers

        await engine.start()
        found = await eventually(case.service, lambda: recorded(store))
        assert {found.get(key) for key in done} == {Status.CONFIRMED}
        assert await sums(case, store) == counted(found)


async def test_client_killed_leaves_nothing_half_done(case: Case, engine: Engine) -> None:
    async with opened(case.service, engine, 900):
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, case.service.declaration.name, engine.url, stdout=PIPE
        )
        assert client.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(30):
                assert await client.stdout.readline()
        client.kill()
        await client.communicate()
    async with opened(case.service, engine, 900) as store:
        # What the dead client left open holds up nobody.
        await store.hold("after", case.plenty)
        assert await sums(case, store) == counted(await recorded(store))
