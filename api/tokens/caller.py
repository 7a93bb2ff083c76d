"""Who makes a call, as all routes see them."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What a token may do. Every token may do what a traveller may, within its tenant."""

    TRAVELLER = "traveller"
    OPERATOR = "operator"
    """Settles the trips of its own tenant."""
    FLEET = "fleet"
    """Runs what all tenants share: breakers, the lab, dead letters, the codec."""


@dataclass(frozen=True)
class Caller:
    """`tenant` owns the trips that the caller reaches; `name` is kept with what the caller does.

    `subject` is whose requests are counted together: a stored token's id, a signed token's `sub`. `members`
    are those whose points a signed token lets its caller redeem.
    """

    tenant: str
    scopes: AbstractSet[Scope]
    name: str
    subject: str = field(default="", compare=False)
    members: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def scope(self) -> Scope:
        """The scope that says most of the caller, if one has to do."""
        return next(
            (scope for scope in (Scope.OPERATOR, Scope.FLEET) if scope in self.scopes), Scope.TRAVELLER
        )

    def may(self, demanded: Scope) -> bool:
        """Whether the caller may make a call that demands this scope."""
        return demanded is Scope.TRAVELLER or demanded in self.scopes
