"""What the front door holds while it is open: connections, and the bounds on what it does at once."""

from dataclasses import dataclass
from types import TracebackType

import aiohttp
from fastapi import Request
from temporalio.client import Client

from access.rates import Rates
from access.verify import Verify
from api.changes import Changes
from api.messages import Messages
from api.starter import Starter
from domain.settings import Settings
from record.pool import Pool

MAX_WAITS = 1000


class Waits:
    """How many callers wait for a trip to settle; past the bound a caller is answered at once."""

    def __init__(self) -> None:
        self._waiting = 0

    def may_wait(self) -> bool:
        """Whether another caller may wait."""
        return self._waiting < MAX_WAITS

    def __enter__(self) -> None:
        self._waiting += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting -= 1


@dataclass(frozen=True)
class Door:
    """Shared by all routes."""

    settings: Settings
    verify: Verify
    rates: Rates
    temporal_ui: str
    pool: Pool
    client: Client
    http: aiohttp.ClientSession
    changes: Changes
    starter: Starter
    messages: Messages
    waits: Waits

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that the partners sell in."""
        return self.settings.currencies


def door_of(request: Request) -> Door:
    """The open door that serves this request."""
    door: Door = request.app.state.door
    return door
