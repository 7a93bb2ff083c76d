"""The card's token on its way to the payment partner, which no other reads. Pure.

A sealed token is text: `sealed:v1:` and the base64 of a nonce and of what AES-256-GCM gives. The trip's id is
associated data, so that a token serves no other trip.
"""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32

_PREFIX = "sealed:v1:"
_NONCE_BYTES = 12


class NotSealed(ValueError):
    """A text that this seal did not make for this trip."""


class Seal:
    """Seals and opens tokens with one key. It shows nothing of the key."""

    def __init__(self, key: str) -> None:
        """`key` is the base64 of KEY_BYTES bytes. Raises ValueError, which does not show it."""
        try:
            raw = base64.b64decode(key.strip(), validate=True)
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ValueError(
                f"TRIPS_SEAL_KEY must be the base64 of {KEY_BYTES} bytes, as `openssl rand -base64 32` gives"
            )
        self._cipher = AESGCM(raw)

    def seal(self, token: str, trip_id: str) -> str:
        """The token, sealed for one trip. Each call gives another text."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, token.encode(), trip_id.encode())
        return _PREFIX + base64.b64encode(sealed).decode()

    def open(self, sealed: str, trip_id: str) -> str:
        """The token that was sealed for the trip. Raises NotSealed, which shows neither text."""
        if not sealed.startswith(_PREFIX):
            raise NotSealed("the card's token is not sealed")
        try:
            raw = base64.b64decode(sealed.removeprefix(_PREFIX), validate=True)
            nonce, text = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, text, trip_id.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise NotSealed("the card's token was sealed with another key, or for another trip") from error


def new_key() -> str:
    """A key, drawn at random."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
