"""Who makes a call, as all routes see them."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token may do. An operator may do all that a traveller may."""

    TRAVELLER = "traveller"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """`tenant` owns the trips that the caller reaches; `name` is kept with an operator's decisions."""

    tenant: str
    scope: Scope
    name: str

    def may(self, demanded: Scope) -> bool:
        """Whether the caller may make a call that demands this scope."""
        return demanded in (Scope.TRAVELLER, self.scope)
