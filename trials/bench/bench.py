"""What a benchmark declares: how it measures, and what its page of the docs shows."""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trials.bench.drawing import Figure
from trials.report import Bar, Results


class Bench(NamedTuple):
    """`plan` and `quick` are dataclasses; the command line can set the numbers of either.

    Each of `parts` measures by a plan. The results are those of the parts, by name. To each the command adds
    `about`: the machine and the plan. A part that books trips names those that went `wrong`. `tables`, `bars`
    and `pictures` read the results alone.
    """

    name: str
    about: str
    page: Path
    plan: Any
    quick: Any
    parts: Mapping[str, Callable[[Any], Coroutine[Any, Any, Results]]]
    tables: Callable[[Results], dict[str, str]]
    bars: Callable[[Results], list[Bar]] = lambda _: []
    pictures: Callable[[Results], dict[str, Figure]] = lambda _: {}


def wrong(results: Results) -> list[str]:
    return [trip for part in results.values() for trip in part.get("wrong", ())]
