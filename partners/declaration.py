"""What a partner declares of itself: plain data and pydantic, which its service and the saga both read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Generic, NamedTuple, TypeVar

from serving.fields import Body

B = TypeVar("B", bound=Body)


class Claim(NamedTuple):
    """So many units of a stock's item, such as rooms of a hotel, taken for one day."""

    item: str
    day: date
    units: int


@dataclass(frozen=True, kw_only=True)
class Declaration(Generic[B]):
    """A partner. `body` is what a hold asks of it, and `attempt_s` limits one attempt of a call, in seconds.

    `engine` is the embedded server that the bundled service keeps its data in, under the partner's own name.
    """

    name: str
    title: str
    port: int
    engine: str
    body: type[B]
    attempt_s: float = 5

    def dates(self) -> list[str]:
        """The fields of the body that are dates."""
        return [name for name, field in self.body.model_fields.items() if field.annotation is date]


@dataclass(frozen=True, kw_only=True)
class Stay(Declaration[B]):
    """A partner that holds something for the traveller at a price, such as a room or a seat.

    An order names what it wants of a stay in a field of the stay's name. `summary` is shown in the history.
    `claims` is what the body takes from stock. `example` is a body for a trip that begins on a day, and
    `plenty` one of which the sample data has ten million a day.
    """

    summary: Callable[[B], str]
    claims: Callable[[B], Iterable[Claim]]
    example: Callable[[date], B]
    plenty: Callable[[date], B]
