"""What Temporal keeps of a trip, encrypted: payloads, summaries, and the words of failures.

An encrypted payload names its key. Its data is a nonce, and what AES-256-GCM gives of the whole payload. The
metadata are those of Temporal's own examples of a codec.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from prometheus_client import Counter
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from config.keys import KEY_BYTES, KEYS
from serving.figures import FIGURES

_ENCODING, _ENCRYPTED = "encoding", b"binary/encrypted"
_KEY_ID = "encryption-key-id"
_NONCE_BYTES = 12
_FAILURES = Counter(
    "trips_codec_failures",
    "Payloads that could not be decoded: their key is not known here, or they were changed.",
    registry=FIGURES,
)
_REMEDY = f"{KEYS} must be `ID:KEY,…`, each key the base64 of {KEY_BYTES} bytes, each id used once"


class NotDecoded(Exception):
    """A payload whose key is not known here, or which was changed since."""


class Codec(PayloadCodec):
    """Encodes with the first key, and decodes with any. Payloads that are not encrypted pass as they are."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        newest = next(iter(keys))
        self._newest = self._ciphers[newest]
        # A copy costs a third of what it costs to fill the metadata in.
        self._empty = Payload(metadata={_ENCODING: _ENCRYPTED, _KEY_ID: newest.encode()})

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encoded(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """As PayloadCodec. Raises NotDecoded."""
        return [self.decoded(payload) for payload in payloads]

    def decoded(self, payload: Payload) -> Payload:
        """The payload in clear. Raises NotDecoded."""
        if payload.metadata.get(_ENCODING) != _ENCRYPTED:
            return payload
        key_id = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            _FAILURES.inc()
            raise NotDecoded(f"{KEYS} has no key {key_id!r}")
        nonce, text = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, text, None))
        except (InvalidTag, ValueError) as error:
            _FAILURES.inc()
            raise NotDecoded(f"a payload does not fit the key {key_id!r}") from error

    def _encoded(self, payload: Payload) -> Payload:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        encrypted = Payload()
        encrypted.CopyFrom(self._empty)
        encrypted.data = nonce + self._newest.encrypt(nonce, payload.SerializeToString(), None)
        return encrypted


def codec_of(keys: str) -> Codec | None:
    """The codec of `ID:KEY,…`, the newest key first. None without keys. ValueError does not show them."""
    found = [_key(entry) for entry in keys.split(",") if entry.strip()]
    if len(dict(found)) != len(found):
        raise ValueError(_REMEDY)
    return Codec(dict(found)) if found else None


def _key(entry: str) -> tuple[str, bytes]:
    key_id, _, text = entry.strip().partition(":")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not key_id or len(key) != KEY_BYTES:
        raise ValueError(_REMEDY)
    return key_id, key
