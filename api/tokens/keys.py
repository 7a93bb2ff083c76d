"""An issuer's public keys, fetched from the URL at which it publishes them (RFC 7517)."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from pydantic import BaseModel, ValidationError

from serving.beside import beside

log = logging.getLogger(__name__)

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric algorithms alone: with another one, the public key would serve as a shared secret."""

FETCH_TIMEOUT = aiohttp.ClientTimeout(total=3)
REFRESH_S = 240.0
"""How often the keys are fetched, whether or not anybody needs them."""
STALE_S = 3600.0
"""How old the keys may get if they cannot be fetched again."""

RETRY_S = 10.0
"""The least time between two fetches."""

MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MAX_TRIED = 10
"""How many keys are tried on a token that does not say which of them signed it."""

FEWEST_RSA_BITS = 2048


class _KeySet(BaseModel):
    keys: list[object]


class KeysAway(Exception):
    """The keys cannot be fetched now, so the token can be neither accepted nor refused."""


class Keys:
    """Public keys. They are fetched in the background, so that no call waits for a slow issuer."""

    def __init__(
        self, url: str, http: aiohttp.ClientSession, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self._keys: list[PyJWK] = []
        self._fetched_at = self._tried_at = float("-inf")
        self._away = False
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        """The keys that may have signed a token. None may, if the issuer has no such key. Raises KeysAway.

        An unknown id makes the keys be fetched again, at most every ten seconds, so a new key soon works.
        """
        found = self._fitting(key_id, algorithm)
        if not found:
            async with self._fetching:
                if not self._fitting(key_id, algorithm) and self._clock() - self._tried_at >= RETRY_S:
                    await self._fetch_again()
            found = self._fitting(key_id, algorithm)
        if not found and self._away:
            raise KeysAway
        return found

    @contextlib.asynccontextmanager
    async def refreshed(self) -> AsyncIterator[None]:
        """While the context is open, fetch the keys before they are needed."""
        async with beside(self._keep_fetching()):
            yield

    async def _keep_fetching(self) -> None:
        while True:
            async with self._fetching:
                await self._fetch_again()
            await asyncio.sleep(RETRY_S if self._away else REFRESH_S)

    def _fitting(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        if self._clock() - self._fetched_at > STALE_S:
            return []
        fitting = [key for key in self._keys if key.algorithm_name == algorithm]
        if key_id is not None:
            named = [key for key in fitting if key.key_id == key_id]
            # A set may have keys without an id, and its tokens may name one all the same.
            fitting = named or [key for key in fitting if key.key_id is None]
        return fitting[:MAX_TRIED]

    async def _fetch_again(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = _usable(await self._fetch())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self._away = True
            log.warning("the issuer's keys cannot be fetched: %s", str(error) or type(error).__name__)
        else:
            self._away = False
            self._fetched_at = self._clock()

    async def _fetch(self) -> list[object]:
        """The published keys. Raises aiohttp.ClientError, OSError, TimeoutError and ValueError."""
        async with self._http.get(self._url, timeout=FETCH_TIMEOUT, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"the answer is over {MAX_BYTES} bytes")
        try:
            return _KeySet.model_validate_json(bytes(body)).keys
        except ValidationError:
            raise ValueError("the answer is no set of keys") from None


def _usable(published: list[object]) -> list[PyJWK]:
    """The keys that may sign a token. A key without an algorithm has the usual one of its type."""
    return [key for entry in published[:MAX_KEYS] if (key := _read(entry)) is not None]


def _read(entry: object) -> PyJWK | None:
    """The key, or None if it cannot be read, is too short, or is for something else."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    try:
        if "verify" not in entry.get("key_ops", ["verify"]):
            return None
        key = PyJWK(entry)
    except Exception as error:  # an issuer may publish anything, and one odd key must not spoil the others
        log.warning("a key of the issuer cannot be read: %s", type(error).__name__)
        return None
    is_short = isinstance(key.key, RSAPublicKey) and key.key.key_size < FEWEST_RSA_BITS
    has_odd_id = not isinstance(key.key_id, str | None)
    return None if is_short or has_odd_id or key.algorithm_name not in ALGORITHMS else key
