"""What is left of a row whose traveller is taken out of it: what was booked, and what became of it."""

import json
from typing import Any

ERASED = "erased"

_ASKED = "parts"
"""In a note, what other partners are asked to hold: the member, and the card's token."""


def without_parts(note: str) -> str:
    """The note, a JSON document, without what it says of others' parts."""
    return json.dumps(_without_parts(json.loads(note)))


def without_words(refusal: str) -> str:
    """The refusal, a JSON document, without its words."""
    return json.dumps(json.loads(refusal) | {"message": ERASED})


def _without_parts(document: Any) -> Any:
    if isinstance(document, list):
        return [_without_parts(one) for one in document]
    if not isinstance(document, dict):
        return document
    return {name: {} if name == _ASKED else _without_parts(value) for name, value in document.items()}
