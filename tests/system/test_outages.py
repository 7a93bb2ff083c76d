"""While Temporal, the workers or the front door are away: trips are read, accepted, and started later."""

import uuid

from tests.conftest import RunningSystem
from tests.system.freezing import frozen, kill
from tests.system.test_idempotency import booked_for
from tests.system.test_supervision import eventually
from trials.orders import own_order
from trials.traveller import Traveller

TRIPS = 20


async def answering(traveller: Traveller) -> bool:
    """Whether the front door answers."""
    try:
        return (await traveller.call("GET", "/healthz"))[0] == 200
    except OSError:
        return False


async def test_trips_are_read_while_temporal_and_the_workers_are_away(
    traveller: Traveller, system: RunningSystem
) -> None:
    body = own_order()
    trip = await traveller.book(body, wait=60)
    with frozen(system, "temporal", "worker-1"):
        assert await traveller.trip(trip["trip_id"]) == trip
        assert await booked_for(traveller, body) == [trip["trip_id"]]


async def test_trips_accepted_in_an_outage_start_after_it(
    traveller: Traveller, system: RunningSystem
) -> None:
    with frozen(system, "temporal"):
        # From here on it does not know whether Temporal answers, nor what is owed.
        await kill(system, "api")
        await eventually(lambda: answering(traveller))
        accepted = [await traveller.book(own_order(), key=str(uuid.uuid4())) for _ in range(TRIPS)]
        assert {trip["status"] for trip in accepted} == {"booking"}
        await kill(system, "api")
        await eventually(lambda: answering(traveller))
        accepted.append(await traveller.book(own_order()))
    ids = [trip["trip_id"] for trip in accepted]
    assert {(await traveller.until(trip_id))["status"] for trip_id in ids} == {"confirmed"}


async def test_what_the_front_door_died_over_is_started(traveller: Traveller, system: RunningSystem) -> None:
    with frozen(system, "temporal"):
        accepted = [await traveller.book(own_order()) for _ in range(TRIPS)]
        await kill(system, "api")
    await eventually(lambda: answering(traveller))
    assert {(await traveller.until(trip["trip_id"]))["status"] for trip in accepted} == {"confirmed"}
