"""The breaker's policy as the settings ask for it."""

from breaker.policy import BreakerPolicy
from domain.settings import Settings


def breaker_policy(settings: Settings) -> BreakerPolicy:
    """The policy of every partner's breaker."""
    return BreakerPolicy(
        window_s=settings.breaker_window_s,
        min_calls=settings.breaker_min_calls,
        failure_rate=settings.breaker_failure_rate,
        failures_in_a_row=settings.breaker_failures_in_a_row,
        open_s=settings.breaker_open_s,
        half_open_calls=settings.breaker_half_open_calls,
    )
