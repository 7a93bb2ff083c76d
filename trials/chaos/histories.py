"""Keeps the histories of the trips that something is wrong with."""

import json
import re
from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from trials.chaos.place import Place

MAX_KEPT = 50
RPC_TIMEOUT = timedelta(seconds=10)

_TRIP_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def save_histories(here: Place, violations: Iterable[str]) -> None:
    """Write `histories/TRIP.json` beside the data for each trip that is named, MAX_KEPT at most."""
    directory = here.home / "histories"
    directory.mkdir(exist_ok=True)
    client = await Client.connect(here.client.target.temporal)
    named = dict.fromkeys(found[0] for line in violations if (found := _TRIP_ID.search(line)))
    for trip_id in list(named)[:MAX_KEPT]:
        try:
            history = await client.get_workflow_handle(trip_id).fetch_history(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            (directory / f"{trip_id}.txt").write_text(f"{error}\n")
            continue
        (directory / f"{trip_id}.json").write_text(json.dumps(history.to_json_dict(), indent=1) + "\n")
