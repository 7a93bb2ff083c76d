"""One probe in the whole fleet: under contention, and where its owner is killed."""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import asyncpg

from guard.policy import State
from guard.store import Store
from tests.guard.fleet import POLICY, Fleet, new_partner
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
CONTENDERS = 50
ROUNDS = 60
LEASE_S = 2.0

OWNER = """
import asyncio, sys, asyncpg
from guard.policy import BreakerPolicy
from guard.store import Store

async def main():
    url, partner, policy = sys.argv[1:]
    connection = await asyncpg.connect(url, timeout=10)
    store = Store(connection, BreakerPolicy.model_validate_json(policy))
    standing = await store.acquire_probe(partner, "killed")
    print(standing.lease_owner, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_of_fifty_contenders_exactly_one_wins_each_round(fleet: Fleet, hand_clock_url: str) -> None:
    await fleet.open()
    async with asyncpg.create_pool(hand_clock_url, min_size=CONTENDERS, max_size=CONTENDERS) as pool:
        store = Store(pool, POLICY)

        async def contend(owner: str) -> bool:
            return (await store.acquire_probe(fleet.partner, owner)).lease_owner == owner

        for turn in range(ROUNDS):
            await fleet.advance(POLICY.open_s)  # the open time at first, then the lease of the last winner
            won = await asyncio.gather(*(contend(f"{turn}-{n}") for n in range(CONTENDERS)))
            assert sum(won) == 1


async def test_a_killed_owners_lease_ends_in_its_time(real_clock_url: str) -> None:
    """After kill -9 the next probe goes out at the lease's end: not before, not never."""
    policy = POLICY.model_copy(update={"open_s": 0.001, "probe_lease_s": LEASE_S})
    connection = await asyncpg.connect(real_clock_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    fleet = replace(Fleet([connection]), policy=policy, partner=new_partner())
    await fleet.open()
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, real_clock_url, fleet.partner, policy.model_dump_json()),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"killed\n"
    owner.kill()
    await owner.wait()

    lease_ends = await connection.fetchval(
        "select lease_until from breakers where partner = $1", fleet.partner
    )
    deadline = time.monotonic() + 5 * LEASE_S
    while (permit := await fleet.admit()) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    granted = await connection.fetchval("select updated_at from breakers where partner = $1", fleet.partner)
    assert permit.probe
    assert granted >= lease_ends
    assert await fleet.state() is State.HALF_OPEN
    await connection.close(timeout=PATIENCE_S)
