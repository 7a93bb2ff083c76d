"""The faults that the lab sets at a partner (only with TRIPS_LAB=1)."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serving.fields import WHOLE


class FaultVerb(StrEnum):
    """The calls that faults can hit."""

    PUT = "PUT"
    CONFIRM = "confirm"
    DELETE = "DELETE"


Rate = Annotated[float, Field(strict=True, ge=0, le=1)]


class Faults(BaseModel):
    """Faults of calls of `verbs`. With `count` they end after that many such calls.

    `down` cuts every connection, also that of a health check, but only calls of `verbs` use up `count`.

    A message of a choreographed trip counts as the call that does the same. It is not taken while the partner
    is down, comes again after an error, and if its reply is dropped, it takes effect and is not acknowledged.
    Two faults hit messages alone: some take effect twice at the same time (`repeat_rate`), and each is held
    back by a random time of up to `hold_back_ms`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"error_rate": 1.0, "status": 503, "count": 3}]},
    )

    down: Annotated[bool, Field(strict=True)] = False
    error_rate: Rate = 0.0
    status: Annotated[int, Field(strict=True, ge=400, le=599), WHOLE] = 503
    retry_after_s: Annotated[int, Field(strict=True, ge=0, le=86_400), WHOLE] | None = None
    latency_ms: Annotated[int, Field(strict=True, ge=0, le=600_000), WHOLE] = 0
    drop_reply_rate: Rate = 0.0
    repeat_rate: Rate = 0.0
    hold_back_ms: Annotated[int, Field(strict=True, ge=0, le=600_000), WHOLE] = 0
    verbs: Annotated[tuple[FaultVerb, ...], Field(min_length=1, max_length=100)] = tuple(FaultVerb)
    count: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000), WHOLE] | None = None
