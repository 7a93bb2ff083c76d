"""The guard of an adapter."""

from guard.backoff import BackoffPolicy
from guard.budget import BudgetPolicy
from guard.guard import Guard
from guard.policy import BreakerPolicy
from guard.view import Breakers
from trip.partner import Partner

LENIENT = BreakerPolicy(min_calls=10_000, failures_in_a_row=10_000)


def guarding(breakers: Breakers) -> Guard:
    """The guard of all partners, with these breakers."""
    backoffs = {partner.value: BackoffPolicy(base_s=0.1, cap_s=1) for partner in Partner}
    return Guard(breakers, backoffs, BudgetPolicy(), calls_at_once=1000)
