"""What every process writes to its log: a line of JSON for each record.

Each line has `time`, `level`, `logger`, `process` and `message`. A line about one trip has its `trip_id`, and
a line that is written inside a span has the span's `trace_id` and `span_id`.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from opentelemetry import trace
from pydantic import BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pythonjsonlogger.json import JsonFormatter

_SDK_EXTRAS = ("temporal_activity", "temporal_workflow")
"""Temporal's SDK hangs these to its records, each with the `workflow_id`, which is the trip's id."""


LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda level: level.upper() if isinstance(level, str) else level),
]


class Logging(BaseSettings):
    """How much is logged."""

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore")

    log_level: LogLevel = "INFO"


def about(trip_id: str) -> dict[str, str]:
    """The `extra` of a record about one trip."""
    return {"trip_id": trip_id}


class JsonLines(JsonFormatter):
    """One record as one line of JSON."""

    def __init__(self, process: str) -> None:
        super().__init__(json_ensure_ascii=False)
        self._process = process

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["process"] = self._process
        log_data["message"] = record.message
        if trip_id := _trip_of(record):
            log_data["trip_id"] = trip_id
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            log_data["trace_id"] = trace.format_trace_id(span.trace_id)
            log_data["span_id"] = trace.format_span_id(span.span_id)
        log_data.update(message_dict)


def _trip_of(record: logging.LogRecord) -> str | None:
    told = getattr(record, "trip_id", None)
    if told is None:
        extras = (getattr(record, extra, None) for extra in _SDK_EXTRAS)
        told = next((extra.get("workflow_id") for extra in extras if isinstance(extra, dict)), None)
    return told if isinstance(told, str) else None


def log_as_json(process: str) -> None:
    """Set up the log of this process. Ends the process if TRIPS_LOG_LEVEL is none."""
    try:
        level = Logging().log_level
    except ValidationError as error:
        sys.exit(f"TRIPS_LOG_LEVEL: {error.errors()[0]['msg']}")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
