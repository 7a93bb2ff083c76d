"""What the front door holds while it is open: connections, and bounds on what it does at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from api.act_log import ActLog
from api.changes import Changes
from api.coordination import Coordinator, CoordinatorAway
from api.feeds import Feeds
from api.shares import Shares
from api.starter import Starter
from api.tokens.rates import Rates
from api.tokens.verify import Verifier
from choreography.broker import Broker
from config.codec import Codec
from config.settings import Settings
from record.pool import Pool
from serving.client import HttpClient
from temporal.watch import Watch
from trip.order import Coordination
from trip.partner import Partner


@dataclass(frozen=True)
class Door:
    """What all routes share."""

    settings: Settings
    stopping: asyncio.Event
    tokens: Verifier
    acts: ActLog
    rates: Rates
    temporal_ui: str
    pool: Pool
    partners: Mapping[Partner, HttpClient]
    codec: Codec | None
    changes: Changes
    broker: Broker | None
    coordinators: Mapping[Coordination, Coordinator]
    starters: Mapping[Coordination, Starter]
    waits: Shares
    feeds: Feeds
    streams: Shares
    lists: Shares
    watch: Watch

    def coordinator(self, trip: Mapping[str, Any]) -> Coordinator:
        """Who carries the trip. Raises CoordinatorAway if this front door is not set up for that."""
        found = self.coordinators.get(trip["coordination"])
        if found is None:
            raise CoordinatorAway(
                "broker_unavailable", "this front door has no broker; set NATS_URL and TRIPS_SEAL_KEY"
            )
        return found

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that the partners sell in."""
        return self.settings.currencies


# FastAPI runs a plain function in a thread; a coroutine costs no switch.
async def _open_door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


OpenDoor = Annotated[Door, Depends(_open_door)]
