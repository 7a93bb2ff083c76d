"""Every partner of a trip. A stay is one line here; all else that knows of it reads this catalogue."""

from importlib import import_module
from typing import Any

from partners.declaration import Declaration, Stay
from partners.payment.declaration import PAYMENT
from partners.points.declaration import POINTS


def _declared(*names: str) -> tuple[Stay[Any], ...]:
    return tuple(import_module(f"partners.{name}.declaration").STAY for name in names)


STAYS = _declared(
    "hotel",
    "tour",
    "flight",
)

PARTNERS: tuple[Declaration[Any], ...] = (*STAYS, POINTS, PAYMENT)
"""In the order of a trip's steps."""
