"""Where everything that the audit reads is."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from config.settings import Settings, settings
from serving.upstream import Upstream
from trip.partner import Partner


@dataclass(frozen=True)
class Endpoints:
    """`temporal` is an address, or None for that of the TEMPORAL_* environment."""

    database_url: str
    partners: Mapping[Partner, Upstream]
    temporal: str | None = None

    @classmethod
    def of_system(cls, described: Mapping[str, Any]) -> "Endpoints":
        """Those of an embedded system, in the words of its `stack.json`. Raises KeyError."""
        urls = described["partners"]
        return cls(
            database_url=described["database_url"],
            partners={
                partner: replace(upstream, url=urls[partner.value])
                for partner, upstream in settings().upstreams().items()
            },
            temporal=described["temporal"],
        )

    @classmethod
    def of_settings(cls, config: Settings) -> "Endpoints":
        """Those of the environment."""
        return cls(database_url=config.listening_url, partners=config.upstreams())


def find_endpoints() -> Endpoints:
    """Those of the embedded system in `$TRIPS_DATA_DIR`, where one has been; else those of the environment.

    What the environment names stands before either. Raises ValueError where `stack.json` is unreadable.
    """
    config = settings()
    named = Endpoints.of_settings(config)
    path = Path(os.environ.get("TRIPS_DATA_DIR") or ".data") / "run" / "stack.json"
    if not path.exists():
        return named
    try:
        system = Endpoints.of_system(json.loads(path.read_text()))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is not readable: {error!r}") from error
    given = config.model_fields_set
    return Endpoints(
        database_url=named.database_url
        if given & {"database_url", "database_direct_url"}
        else system.database_url,
        partners={
            partner: (named if f"{partner.value}_url" in given else system).partners[partner]
            for partner in Partner
        },
        temporal=os.environ.get("TEMPORAL_ADDRESS") or system.temporal,
    )
