"""The simulations of the backoff policy give the figures that are known for them."""

import pytest

from guard.backoff import Jitter
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
