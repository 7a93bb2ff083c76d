"""The variants: all mechanisms at work, each of them left out in turn, none at all, and all again."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from stack.parts import Part, answering
from trials.cpu import SAGA
from trials.orders import PARTNERS
from trials.world import Ground, Stage, fresh_ground, running_module

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
    """One mechanism left out, by `settings` if there are any for it.

    `removed` names what the worker is run without, if no setting can switch it off.
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
        return "worker-1" if self.carrier is Carrier.WORKFLOW else "saga"

    @property
    def own(self) -> tuple[str, ...]:
        """The beginnings of the names of the saga's own processes."""
        return SAGA if self.carrier is Carrier.WORKFLOW else ("saga",)


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


@contextlib.asynccontextmanager
async def staged(variant: Variant, seed: int) -> AsyncIterator[Ground]:
    arrange = partial(arranged, variant, seed)
    async with fresh_ground(COMMON | dict(variant.settings), arrange=arrange) as ground:
        yield ground


def arranged(variant: Variant, seed: int, stage: Stage, parts: list[Part]) -> list[Part]:
    """The parts of the variant's system."""
    changed = {part.name: part for part in with_lots(seed, parts)}
    carrying = carrier(variant, stage, changed["worker-1"])
    if variant.carrier is not Carrier.WORKFLOW:
        for name in [name for name in changed if name == "tokens" or name.startswith(SAGA)]:
            del changed[name]
    return list((changed | {carrying.name: carrying}).values())


def with_lots(seed: int, parts: Sequence[Part]) -> list[Part]:
    """The parts, with partners that draw the same lots each run."""
    return [
        running_module(part, "trials.bench.buys.partner", part.name, str(seed))
        if part.name in PARTNERS
        else part
        for part in parts
    ]


def carrier(variant: Variant, stage: Stage, worker: Part, port: int | None = None) -> Part:
    """What carries the variant's trips: the system's worker, changed or not, or a front door of its own.

    That one is at the port, or where the system's would be.
    """
    if variant.carrier is not Carrier.WORKFLOW:
        port = port or stage.ports.api_port
        ready = answering(f"{stage.url(port)}/healthz")
        saga = stage.further(variant.process, "trials.bench.buys.in_memory", variant.carrier, ready=ready)
        return replace(saga, env={**saga.env, "TRIPS_API_PORT": str(port)})
    if variant.removed:
        worker = replace(worker, env={**worker.env, "ANSWERED_DIR": str(stage.run_dir)})
        return running_module(worker, "trials.bench.buys.without", variant.removed)
    return worker
