"""The addresses in a trip, as callers reach them."""

from typing import Any


def trip_path(root_path: str, trip_id: str) -> str:
    """Where a trip is served, under the path of the front door."""
    return f"{root_path}/trips/{trip_id}"


def linked(trip: dict[str, Any], root_path: str) -> dict[str, Any]:
    """The trip, with links under that path. The record knows no path, since it may change."""
    if not root_path:
        return trip
    here = trip_path(root_path, trip["trip_id"])
    return trip | {"links": trip["links"] | {"self": here, "events": f"{here}/events"}}
