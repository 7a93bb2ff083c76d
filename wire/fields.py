"""Field types of request bodies, and the limits that hold for all of them."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


def _no_control_characters(text: str) -> str:
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text):
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
    str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(_no_control_characters)
]
Day = Annotated[date, BeforeValidator(_iso_date)]
Count = Annotated[int, Field(strict=True, ge=1, le=20)]


class Body(BaseModel):
    """The base of a request body: unknown fields are refused, and bodies compare by value."""

    model_config = ConfigDict(extra="forbid", frozen=True)
