"""The variants: all mechanisms at work, each of them left out in turn, none at all, and all again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

COMMON = {
    # Nothing of the system's own comes between, and one token books it all.
    "TRIPS_AUDIT_INTERVAL_S": "86400",
    "TRIPS_REQUESTS_PER_MINUTE": "1000000",
    # Scaled to an outage of seconds; the defaults are for one of minutes.
    "TRIPS_RETRY_BASE_S": "0.5",
    "TRIPS_RETRY_CAP_S": "4",
    "TRIPS_RETRY_ATTEMPTS": "5",
    "TRIPS_RETRY_JITTER": "full",
    "TRIPS_BREAKER_OPEN_S": "25",
    "TRIPS_PROBE_INTERVAL_S": "2",
}


class Carrier(StrEnum):
    """What carries a trip: the system's workflow, the same saga in one process's memory, or bare calls."""

    WORKFLOW = "workflow"
    MEMORY = "memory"
    BARE = "bare"


@dataclass(frozen=True)
class Variant:
    """One mechanism left out, by `settings` where there are any for it.

    `removed` names what the worker is run without, where no setting can switch it off.
    """

    name: str
    title: str
    settings: Mapping[str, str] = field(default_factory=dict)
    breakers: bool = True
    keys: bool = True
    removed: str | None = None
    carrier: Carrier = Carrier.WORKFLOW

    @property
    def process(self) -> str:
        """The process that carries the trips, by its name in the run directory; it is the one killed."""
        return "worker-1" if self.carrier is Carrier.WORKFLOW else "saga"

    @property
    def own(self) -> tuple[str, ...]:
        """The beginnings of the names of the saga's own processes."""
        return ("temporal", "worker-", "api") if self.carrier is Carrier.WORKFLOW else ("saga",)


VARIANTS = (
    Variant("all", "all of it"),
    Variant("retries", "no retries", {"TRIPS_RETRY_ATTEMPTS": "1"}),
    Variant("backoff", "no backoff", {"TRIPS_RETRY_BASE_S": "0.05", "TRIPS_RETRY_CAP_S": "0.05"}),
    Variant("jitter", "no jitter", {"TRIPS_RETRY_JITTER": "none"}),
    Variant("breaker", "no breaker", breakers=False),
    Variant("probe", "no probe", {"TRIPS_PROBE_INTERVAL_S": "3600"}),
    Variant("compensation", "no compensation", removed="compensation"),
    Variant("keys", "no idempotency keys", keys=False, removed="keys"),
    Variant("durable", "no durable workflow", carrier=Carrier.MEMORY),
    Variant("none", "none of it", breakers=False, keys=False, carrier=Carrier.BARE),
    # How far two runs of the same are apart is the yardstick for all others.
    Variant("again", "all of it, again"),
)

TITLES = {variant.name: variant.title for variant in VARIANTS}
