"""What is left of a trip whose traveller is taken out of it: codes, amounts, references and times."""

from typing import Any

from partners.erasing import ERASED

NOBODY = {"name": ERASED, "email": "erased@example.invalid"}

_WORDS = frozenset({"message", "note", "error"})
"""The fields with words of people and partners, in which anything may stand."""


def without_traveller(booking: dict[str, Any]) -> dict[str, Any]:
    """The booking of nobody."""
    order = booking["order"]
    member = {"member_id": ERASED} if order["traveller"].get("member_id") else {}
    return booking | {"order": order | {"traveller": NOBODY | member}}


def without_words(document: Any) -> Any:
    """The document, with nothing that a person or a partner wrote in words."""
    if isinstance(document, list):
        return [without_words(one) for one in document]
    if not isinstance(document, dict):
        return document
    return {
        name: ERASED if name in _WORDS and isinstance(value, str) else without_words(value)
        for name, value in document.items()
    }
