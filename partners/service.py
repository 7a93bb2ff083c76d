"""What a partner's folder hands to the shared frame: each exports one `service` of this kind."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic

from fastapi import APIRouter

from partners.declaration import B, Declaration
from partners.store import Store

Opened = AbstractAsyncContextManager[tuple[Store[B], APIRouter]]


@dataclass(frozen=True)
class PartnerService(Generic[B]):
    """One partner: its declaration, and how to open its store.

    `open(engine_url, hold_s)` gives the store, with schema and sample data in place, and a router with
    the partner's own audit view; leaving it closes the store. `engine_errors` are raised by the engine's
    client where the engine is away or overloaded; they are answered 503, as TimeoutError and OSError are.
    """

    declaration: Declaration[B]
    engine_errors: tuple[type[Exception], ...]
    open: Callable[[str, float], Opened[B]]

    @property
    def away(self) -> tuple[type[Exception], ...]:
        """What says that the engine is away: its client's errors, and those of any connection."""
        return (TimeoutError, OSError, *self.engine_errors)
