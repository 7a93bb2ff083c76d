"""Pages of a list. A cursor says after which entry the next page starts."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from serving.fields import Identifier

T = TypeVar("T")

_position: TypeAdapter[list[str]] = TypeAdapter(list[Identifier])


class CursorError(Exception):
    """The cursor is not one of this list. Answered 422."""


class Page(BaseModel, Generic[T]):
    """Entries in order; `next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None = None


def read_cursor(cursor: str | None, parts: int) -> tuple[str, ...] | None:
    """The position in `cursor`, `parts` strings; None without a cursor. Raises CursorError."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = _position.validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValidationError, binascii.Error, ValueError) as error:
        raise CursorError from error
    if len(position) != parts:
        raise CursorError
    return tuple(position)


def write_cursor(position: Sequence[str]) -> str:
    """The cursor of a position."""
    return base64.urlsafe_b64encode(_position.dump_json(list(position))).decode().rstrip("=")


def page(
    found: Sequence[T],
    limit: int,
    position: Callable[[T], Sequence[str]],
    write: Callable[[Sequence[str]], str] = write_cursor,
) -> Page[T]:
    """A page of the first `limit` of `found`. If `found` has more, another page follows.

    `write` makes a cursor of an entry's position.
    """
    items = list(found[:limit])
    more = len(found) > limit
    return Page(items=items, next_cursor=write(position(items[-1])) if more else None)
