"""What a partner answers about a key it already knows, whichever engine holds it."""

import secrets

from partners.store import Code, DifferentBody, Refused, Reservation, Status, UnknownKey

# Crockford's base 32: no letter that is easily misread, and no I, L, O or U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference(prefix: str) -> str:
    """A reference a person can read out, such as TOUR-7F3K2Q9A4MXD: 60 random bits."""
    return f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(12))}"


def repeated(found: Reservation, same_body: bool) -> Reservation:
    """The answer to a hold whose key is known. Raises Refused(CLOSED) and DifferentBody."""
    if found.status in {Status.RELEASED, Status.EXPIRED}:
        raise Refused(Code.CLOSED, f"this key is {found.status}; use a new key")
    if not same_body:
        raise DifferentBody
    return found


def confirmed(found: Reservation | None) -> Reservation:
    """The answer to a confirmation that found nothing to confirm. Raises UnknownKey and Refused."""
    if found is None:
        raise UnknownKey
    if found.status is Status.RELEASED:
        raise Refused(Code.CLOSED, "this reservation was released and cannot be confirmed")
    if found.status is not Status.CONFIRMED:
        raise Refused(Code.EXPIRED, "this hold was not confirmed in time and has been given back")
    return found
