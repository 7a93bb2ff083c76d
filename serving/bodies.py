"""JSON of a request's body, read strictly: what two readers could take for two things is refused."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from starlette.exceptions import HTTPException

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")


class BadBody(HTTPException):
    """The body is no such JSON. `field` is where, `remedy` what to do about it.

    FastAPI would take any other exception for broken JSON.
    """

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(422, f"{field}: {remedy}")
        self.field = field
        self.remedy = remedy


class _Repeated:
    """Stands in the place of an object that has a name twice."""

    def __init__(self, name: str) -> None:
        self.name = name


def read_json(body: bytes) -> Any:
    """The value in `body`, which is JSON in UTF-8 (RFC 8259).

    Raises BadBody for another encoding, names that an object has twice, and numbers or text that JSON has no
    place for; ValueError and RecursionError for what is no JSON.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadBody("body", "this is not UTF-8; send JSON in UTF-8") from None
    has_repeated = False

    def read_object(pairs: list[tuple[str, Any]]) -> Any:
        nonlocal has_repeated
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        has_repeated = True
        return _Repeated(_first_repeated(pairs))

    value = json.loads(
        text, object_pairs_hook=read_object, parse_constant=_refuse_constant, parse_float=_read_float
    )
    if has_repeated:
        raise BadBody(next(_places(value, _repeated_name)), "stands here twice; send each name once")
    if _SURROGATE.search(text) and (halves := next(_places(value, _unwritable), None)) is not None:
        raise BadBody(halves, "has half of a surrogate pair; send whole characters")
    return value


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return name


def _places(value: object, fault: Callable[[object], str | None], place: str = "") -> Iterator[str]:
    """Where values have a fault. `fault` says which name of the value has it, "" if the value itself."""
    name = fault(value)
    if name is not None:
        yield _joined(place, name) or "body"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, fault, _joined(place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, fault, _joined(place, str(index)))


def _joined(place: str, name: str) -> str:
    return ".".join(part for part in (place, name) if part)


def _repeated_name(value: object) -> str | None:
    return value.name if isinstance(value, _Repeated) else None


def _unwritable(value: object) -> str | None:
    if isinstance(value, str):
        return "" if _HALF.search(value) else None
    return next((name for name in value if _HALF.search(name)), None) if isinstance(value, dict) else None


def _refuse_constant(name: str) -> NoReturn:
    raise BadBody("body", f"{name} is no number in JSON; send a finite number")


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadBody("body", "a number is too large; send a smaller one")
    return number
