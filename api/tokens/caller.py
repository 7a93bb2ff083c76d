"""The one who calls, as every call of the front door sees them."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token may do. An operator may do all that a traveller may."""

    TRAVELLER = "traveller"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """`tenant` is whose trips they are; `name` is kept with what an operator decides."""

    tenant: str
    scope: Scope
    name: str

    def may(self, demanded: Scope) -> bool:
        """Whether a call that demands this scope is theirs to make."""
        return demanded in (Scope.TRAVELLER, self.scope)
