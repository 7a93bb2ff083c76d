"""Field types of request bodies, and the limits that hold for all of them."""

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


def _whole(value: object) -> object:
    # By value, 2.0 is 2; JSON Schema calls both an integer.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_CONTROL = r"\x00-\x1f\x7f-\x9f"


def _no_control_characters(text: str) -> str:
    if re.search(f"[{_CONTROL}]", text):
        raise ValueError("must not contain control characters; remove them")
    return text


def _iso_date(value: object) -> object:
    # pydantic reads numbers as timestamps too; the contract knows dates as text alone.
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not (isinstance(value, str) and len(value) == len("2027-03-01")):
        raise ValueError("must be a date written YYYY-MM-DD")
    return value


Identifier = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=200),
    AfterValidator(_no_control_characters),
    # In the document alone: what the validator says is easier to understand.
    Field(json_schema_extra={"pattern": f"^[^{_CONTROL}]*$"}),
]
Day = Annotated[date, BeforeValidator(_iso_date)]
WHOLE = BeforeValidator(_whole)
Count = Annotated[int, Field(strict=True, ge=1, le=20), WHOLE]


class Body(BaseModel):
    """The base of a request body: unknown fields are refused, and bodies compare by value."""

    model_config = ConfigDict(extra="forbid", frozen=True)
