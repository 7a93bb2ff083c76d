"""Types of the fields of request bodies and of settings, with their limits."""

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Port = Annotated[int, Field(ge=1, le=65535)]


def _whole(value: object) -> object:
    # JSON Schema takes 2.0 as an integer, so 2.0 and 2 are the same value here.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_CONTROL = r"\x00-\x1f\x7f-\x9f"
_UNWRITABLE = re.compile(f"[{_CONTROL}\ud800-\udfff]+")
"""Control characters, and halves of a surrogate pair, which UTF-8 cannot write."""

MAX_SHOWN = 300


def shown(text: str) -> str:
    """What another system wrote, as it may be kept and shown: without control characters, and cut."""
    return _UNWRITABLE.sub(" ", text[: 2 * MAX_SHOWN]).strip()[:MAX_SHOWN]


def _no_control_characters(text: str) -> str:
    if re.search(f"[{_CONTROL}]", text):
        raise ValueError("must not contain control characters; remove them")
    return text


def _iso_date(value: object) -> object:
    # pydantic would also read a number, as a timestamp. The interface takes dates as text alone.
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not (isinstance(value, str) and len(value) == len("2027-03-01")):
        raise ValueError("must be a date written YYYY-MM-DD")
    return value


Identifier = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=200),
    AfterValidator(_no_control_characters),
    # For the OpenAPI document alone. The validator gives a clearer message.
    Field(json_schema_extra={"pattern": f"^[^{_CONTROL}]*$"}),
]
Note = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=2000),
    AfterValidator(_no_control_characters),
    Field(json_schema_extra={"pattern": f"^[^{_CONTROL}]*$"}),
]
Day = Annotated[date, BeforeValidator(_iso_date)]
WHOLE = BeforeValidator(_whole)
Count = Annotated[int, Field(strict=True, ge=1, le=20), WHOLE]


class Body(BaseModel):
    """Base of a request body. It refuses unknown fields, bodies compare by value, and errors show none."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
