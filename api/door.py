"""What the front door holds while it is open: connections, and bounds on what it does at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated

from fastapi import Depends, Request

from api.changes import Changes
from api.coordination import Coordinator
from api.feeds import Feeds
from api.starter import Starter
from api.tokens.rates import Rates
from api.tokens.verify import Verify
from config.settings import Settings
from record.pool import Pool
from serving.client import HttpClient
from trip.partner import Partner


class Places:
    """A bound on long calls that are served at once. A caller takes a place for as long as its call lasts."""

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
    """What all routes share."""

    settings: Settings
    stopping: asyncio.Event
    verify: Verify
    rates: Rates
    temporal_ui: str
    pool: Pool
    partners: Mapping[Partner, HttpClient]
    changes: Changes
    coordinator: Coordinator
    starter: Starter
    waits: Places
    feeds: Feeds
    streams: Places

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that the partners sell in."""
        return self.settings.currencies


# FastAPI runs a plain function in a thread; a coroutine costs no switch.
async def _open_door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


OpenDoor = Annotated[Door, Depends(_open_door)]
