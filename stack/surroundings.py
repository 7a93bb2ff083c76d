"""What the caller's environment says of other systems. An embedded command takes nothing of it."""

import os

_TEMPORAL = ("TEMPORAL_",)
_ALL = ("TRIPS_", *_TEMPORAL, "DATABASE_", "DBMATE_", "NATS_", "OTEL_", "PG")
_KEPT = ("TRIPS_BROWSER", "TRIPS_PICTURES")
"""What the tests look with, and where to."""


def forget_temporal() -> None:
    """Forget the caller's Temporal: variables, and the configuration file in the home directory."""
    _forget(_TEMPORAL)
    os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull


def forget_all() -> None:
    """Forget every system of the caller's, and the caller's settings of this project.

    To be called before any setting is read. Processes that are started later forget, too.
    """
    _forget(_ALL)
    forget_temporal()
    # The embedded PostgreSQL has no TLS, whatever certificates there are in the home directory.
    os.environ["PGSSLMODE"] = "disable"


def _forget(prefixes: tuple[str, ...]) -> None:
    for name in list(os.environ):
        if name.startswith(prefixes) and name not in _KEPT:
            del os.environ[name]
