"""`python -m tests.replay.record`: goes every way out of BookTrip for real and keeps each history."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.conftest import running_system
from tests.replay.ways_out import ENVIRONMENT, WAYS_OUT

HISTORIES = Path(__file__).parent / "histories"

_OF_THE_MACHINE = {"identity", "stackTrace", "binaryChecksum", "encodedAttributes"}


def without_the_machine(value: Any) -> Any:
    """The history without what tells of the machine that made it; the replay reads none of it."""
    if isinstance(value, dict):
        return {
            key: "" if key in _OF_THE_MACHINE and isinstance(item, str) else without_the_machine(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [without_the_machine(item) for item in value]
    return value


async def record() -> None:
    """Write one history for each way out."""
    HISTORIES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="trips-record-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", ENVIRONMENT) as system,
    ):
        client = await Client.connect(system.temporal, data_converter=pydantic_data_converter)
        async with aiohttp.ClientSession() as http:
            traveller = system.traveller(http)
            for name, way_out in WAYS_OUT.items():
                trip_id = await way_out(traveller, client)
                await client.get_workflow_handle(trip_id).result()
                history = await client.get_workflow_handle(trip_id).fetch_history()
                document = without_the_machine(history.to_json_dict())
                (HISTORIES / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
                print(f"{name}: {len(history.events)} events")


if __name__ == "__main__":
    asyncio.run(record())
