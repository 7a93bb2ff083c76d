"""What a partner declares of itself: plain data and pydantic, which its service and the saga both read."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from serving.fields import Body

B = TypeVar("B", bound=Body)

Engine = Literal["postgres", "mongo", "redis", "falkordb"]

_SOME_DAY = date(2000, 1, 1)


class Claim(NamedTuple):
    """So many units of a stock's item, such as rooms of a hotel, taken for one day."""

    item: str
    day: date
    units: int


@dataclass(frozen=True, kw_only=True)
class Declaration(Generic[B]):
    """A partner. `body` is what a hold asks of it. One attempt of a call may take `attempt_s` seconds.

    The bundled service keeps its data on `engine`, under the partner's name. Raises ValidationError.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65_535)]
    engine: Engine
    body: type[B]
    attempt_s: Annotated[float, Field(gt=0)] = 5


@dataclass(frozen=True, kw_only=True)
class Stay(Declaration[B]):
    """A partner that holds something for the traveller at a price, such as a room or a seat.

    An order has a field of the stay's name, which holds a `body`. The history shows `summary`.
    `claims` is what a body takes from stock. `example` is a body for a trip that begins on a day;
    `plenty` is one too, of an item that has ten million units a day.
    """

    summary: Callable[[B], str]
    claims: Callable[[B], Iterable[Claim]]
    example: Callable[[date], B]
    plenty: Callable[[date], B]

    def __post_init__(self) -> None:
        """Try each function once, so that a declaration that cannot work stops the start."""
        for name in ("example", "plenty"):
            body = getattr(self, name)(_SOME_DAY)
            if not isinstance(body, self.body):
                raise TypeError(f"{self.name}: {name} gives no {self.body.__name__}, but {body!r}")
            if not self.summary(body):
                raise ValueError(f"{self.name}: summary says nothing of {body!r}")
            claims = list(self.claims(body))
            if not claims or not all(isinstance(claim, Claim) for claim in claims):
                raise ValueError(f"{self.name}: claims gives no Claim of {body!r}, but {claims}")
