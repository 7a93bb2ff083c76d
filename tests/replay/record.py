"""`python -m tests.replay.record` goes every way out of every workflow for real, and keeps each history.

They are the newest histories. With `--release NAME` they are those of a release, which are written once.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from temporalio.client import Client, WorkflowFailureError

from config.temporal import data_converter
from tests.conftest import RunningSystem, running_system
from tests.replay.kept import HISTORIES, NEWEST, SUMS, sums
from tests.replay.other_ways import OTHER_WAYS
from tests.replay.ways_out import ENVIRONMENT, WAYS_OUT
from trials.traveller import Traveller

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


def ways(
    system: RunningSystem, traveller: Traveller, client: Client
) -> Mapping[str, Callable[[], Awaitable[str]]]:
    """Every way out, ready to go."""
    return {name: partial(way, traveller, client) for name, way in WAYS_OUT.items()} | {
        name: partial(way, system, traveller, client) for name, way in OTHER_WAYS.items()
    }


async def record(folder: Path) -> None:
    """Write one history for each way out into the folder."""
    with (
        tempfile.TemporaryDirectory(prefix="trips-record-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", ENVIRONMENT | {"TRIPS_CODEC_KEYS": ""}) as system,
    ):
        client = await Client.connect(system.temporal, data_converter=data_converter(None))
        async with aiohttp.ClientSession() as http:
            for name, way_out in ways(system, system.traveller(http), client).items():
                handle = client.get_workflow_handle(await way_out())
                with contextlib.suppress(WorkflowFailureError):
                    await handle.result()
                history = await handle.fetch_history()
                document = without_the_machine(history.to_json_dict())
                (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
                print(f"{name}: {len(history.events)} events", flush=True)


def main() -> None:
    """Record all, and then put the folder in its place, so that no half of it stays."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.record", description=__doc__)
    parser.add_argument("--release", metavar="NAME", help="keep them as the histories of this release")
    release = parser.parse_args().release
    folder = HISTORIES / release if release else NEWEST
    if release and folder.exists():
        parser.error(f"{folder} exists; the histories of a release are not recorded anew")
    with tempfile.TemporaryDirectory(prefix="trips-histories-") as place:
        recorded = Path(place)
        asyncio.run(record(recorded))
        if release:
            (recorded / SUMS).write_text(sums(recorded))
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(recorded, folder)


if __name__ == "__main__":
    main()
