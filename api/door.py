"""What the front door holds while it is open: connections, and the bounds on what it does at once."""

from dataclasses import dataclass
from types import TracebackType

import aiohttp
from fastapi import Request
from temporalio.client import Client

from api.changes import Changes
from api.feeds import Feeds
from api.messages import Messages
from api.starter import Starter
from api.tokens.rates import Rates
from api.tokens.verify import Verify
from config.settings import Settings
from record.pool import Pool


class Places:
    """How many callers may be served at once in a way that takes long; each takes a place meanwhile."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0

    def are_left(self) -> bool:
        """Whether another caller may take a place."""
        return self.taken < self._most

    def __enter__(self) -> None:
        self.taken += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.taken -= 1


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
    waits: Places
    feeds: Feeds
    streams: Places

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that the partners sell in."""
        return self.settings.currencies


def door_of(request: Request) -> Door:
    """The open door that serves this request."""
    door: Door = request.app.state.door
    return door
