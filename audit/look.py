"""One look at the whole system, its reads in the order that the checks rest on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from audit import temporal
from audit.endpoints import Endpoints
from audit.errors import AuditError
from audit.facts import Facts, PartnerFacts, TripFact
from audit.partners import PartnerReader
from audit.record import ReadTrips, collect
from config.clients import open_clients
from record import audit as record
from record.pool import Pool, RecordAway, open_pool
from temporal.workflows import GOES_ON, WorkflowState
from trip.partner import Partner

POOL_SIZE = 2

Versions = dict[str, tuple[str, int]]


@dataclass(frozen=True)
class Sources:
    """Everything that a look reads."""

    pool: Pool
    temporal: Client
    partners: Mapping[Partner, PartnerReader]


@asynccontextmanager
async def opened(endpoints: Endpoints) -> AsyncIterator[Sources]:
    """Connections to everything, few of each; given back on leaving. Raises AuditError."""
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_clients(endpoints.partners))
        pool = await stack.enter_async_context(open_pool(endpoints.database_url, POOL_SIZE))
        readers = {partner: PartnerReader(partner, client) for partner, client in clients.items()}
        yield Sources(pool, await temporal.connect(endpoints.temporal), readers)


async def look(sources: Sources) -> Facts:
    """Read everything once. Raises AuditError where something does not answer."""
    try:
        return await _look(sources)
    except RecordAway as error:
        raise AuditError(f"the trips' record cannot be read: {error}") from error


async def _look(sources: Sources) -> Facts:
    read = ReadTrips()
    await collect(record.every_trip(sources.pool), read)
    known = read.trips.keys() | read.unreadable.keys()
    partners, workflows = await asyncio.gather(
        _read_partners(sources), _read_workflows(sources.temporal, read.trips)
    )
    versions = {
        row["trip_id"]: (row["status"], row["version"]) async for row in record.every_version(sources.pool)
    }
    accepted_since = frozenset(versions.keys() - known)
    await collect(record.some_trips(sources.pool, sorted(accepted_since)), read)
    return Facts(
        now=await record.clock(sources.pool),
        trips=read.trips,
        unreadable=read.unreadable,
        accepted_since=accepted_since,
        versions=versions,
        partners=partners,
        workflows=workflows,
    )


async def _read_partners(sources: Sources) -> dict[Partner, PartnerFacts]:
    found = await asyncio.gather(*(reader.read() for reader in sources.partners.values()))
    return dict(zip(sources.partners, found, strict=True))


async def _read_workflows(client: Client, trips: Mapping[str, TripFact]) -> dict[str, WorkflowState]:
    states = await temporal.listed(client)
    doubtful = [trip.trip_id for trip in trips.values() if is_doubtful(trip, states.get(trip.trip_id))]
    return states | await temporal.described(client, doubtful)


def is_doubtful(trip: TripFact, listed: WorkflowState | None) -> bool:
    """Whether the lagging list is not enough. A trip whose start is still owed need not be in it."""
    if trip.is_choreographed:
        return False
    if trip.is_final:
        return listed in GOES_ON
    return listed not in GOES_ON and (trip.started or listed is not None)
