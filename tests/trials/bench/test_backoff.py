"""The simulations of the backoff policy give the figures that are known for them."""

import random

import pytest

from guard.backoff import BackoffPolicy, Jitter
from trials.bench.backoff import contention, herd, reference

TRIALS = {10: 400, 50: 60, 100: 20, 190: 10}
WITHIN = 0.1
SEED = 7


@pytest.mark.parametrize("clients", contention.CLIENTS)
@pytest.mark.parametrize("strategy", contention.STRATEGIES)
def test_contention_is_within_a_tenth_of_the_published_figures(clients: int, strategy: str) -> None:
    got = contention.average(clients, strategy, TRIALS[clients], SEED)
    assert got == pytest.approx(reference.CONTENTION[strategy][clients], rel=WITHIN)


@pytest.mark.parametrize("strategy", reference.HERD)
def test_the_herd_is_within_a_tenth_of_the_known_figures(strategy: str) -> None:
    trials = 10 if herd.STRATEGIES[strategy].jitter in (Jitter.FULL, Jitter.EQUAL) else 1
    got = herd.average(strategy, trials, SEED)
    assert (got.calls_a_client, got.last_done_s) == pytest.approx(reference.HERD[strategy], rel=WITHIN)


def test_a_lone_client_is_served_with_the_four_messages_of_a_read_and_a_write() -> None:
    alone = contention.contend(1, contention.STRATEGIES["full"], random.Random(SEED))
    assert alone.writes == 1
    assert 20 < alone.completion_ms < 60


def test_every_call_of_the_herd_is_counted_and_no_slot_serves_more_than_it_may() -> None:
    policy = BackoffPolicy(base_s=0.1, cap_s=10, jitter=Jitter.FULL)
    run = herd.stampede(policy, random.Random(SEED), clients=100)
    assert sum(run.calls_by_slot.values()) == run.calls_a_client * 100
    up = range(int(herd.OUTAGE_S / herd.SLOT_S), max(run.calls_by_slot) + 1)
    served = sum(min(herd.CALLS_A_SLOT, run.calls_by_slot.get(slot, 0)) for slot in up)
    assert served == 100


def test_the_same_seed_gives_the_same_run() -> None:
    assert contention.average(10, "full", 2, SEED) == contention.average(10, "full", 2, SEED)
    assert herd.average("full", 1, SEED) == herd.average("full", 1, SEED)
