"""Every partner of a trip. A stay is one line here; all else that knows of it reads this catalogue."""

from collections import defaultdict
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from partners.declaration import Declaration, Stay
from partners.payment.declaration import PAYMENT
from partners.points.declaration import POINTS


class CatalogueError(ValueError):
    """A partner that cannot be in the catalogue as it is declared."""


def named(*names: str) -> tuple[Stay[Any], ...]:
    """The stays in the folders of these names. Raises CatalogueError, and if there is none ImportError."""
    return tuple(map(_stay, names))


def _stay(name: str) -> Stay[Any]:
    stay = getattr(import_module(f"partners.{name}.declaration"), "STAY", None)
    if not isinstance(stay, Stay):
        raise CatalogueError(f"partners/{name}/declaration.py has no STAY")
    if stay.name != name:
        raise CatalogueError(f"partners/{name} declares the name {stay.name}")
    return stay


def distinct(partners: Iterable[Declaration[Any]]) -> tuple[Declaration[Any], ...]:
    """The partners. Raises CatalogueError if two of them have the same name or port."""
    partners = tuple(partners)
    for field in ("name", "port"):
        having: dict[object, list[str]] = defaultdict(list)
        for partner in partners:
            having[getattr(partner, field)].append(partner.name)
        for value, names in having.items():
            if len(names) > 1:
                raise CatalogueError(f"{' and '.join(names)} have the same {field}: {value}")
    return partners


STAYS = named(
    "hotel",
    "tour",
    "flight",
)

ROLES: tuple[Declaration[Any], ...] = (POINTS, PAYMENT)
"""The discount, then the payment of what is left."""

PARTNERS = distinct((*STAYS, *ROLES))
"""In the order of a trip's steps."""
