"""An issuer's public keys, fetched from the URL at which it publishes them (RFC 7517)."""

import asyncio
import logging
import time
from collections.abc import Callable

import aiohttp
from jwt import PyJWK, PyJWTError
from pydantic import BaseModel, ValidationError

log = logging.getLogger(__name__)

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric algorithms alone: with another one, the public key would serve as a shared secret."""

FETCH_TIMEOUT = aiohttp.ClientTimeout(total=3)
FRESH_S = 300.0
STALE_S = 3600.0
"""How old the keys may get if they cannot be fetched again."""

RETRY_S = 10.0
"""The least time between two fetches."""

MAX_BYTES = 256 * 1024
MAX_KEYS = 100


class _KeySet(BaseModel):
    keys: list[object]


class KeysAway(Exception):
    """The keys cannot be fetched now, so the token can be neither accepted nor refused."""


class Keys:
    """Public keys by their ids. They are fetched at first use, and again when they are five minutes old."""

    def __init__(
        self, url: str, http: aiohttp.ClientSession, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._away = False
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> PyJWK | None:
        """The key, or None if the issuer has no key of this id. Raises KeysAway.

        An unknown id makes the keys be fetched again, at most every ten seconds, so a new key soon works.
        """
        if key_id not in self._keys or self._age_s() > FRESH_S:
            async with self._fetching:
                await self._fetch_again(key_id)
        key = self._keys.get(key_id) if self._age_s() <= STALE_S else None
        if key is None and self._away:
            raise KeysAway
        return key

    def _age_s(self) -> float:
        return self._clock() - self._fetched_at

    async def _fetch_again(self, key_id: str) -> None:
        now = self._clock()
        fetched_meanwhile = key_id in self._keys and self._age_s() <= FRESH_S
        if fetched_meanwhile or now - self._tried_at < RETRY_S:
            return
        self._tried_at = now
        try:
            self._keys = _usable(await self._fetch())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self._away = True
            log.warning("the issuer's keys cannot be fetched: %s", str(error) or type(error).__name__)
        else:
            self._away = False
            self._fetched_at = now

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


def _usable(published: list[object]) -> dict[str, PyJWK]:
    """The keys that may sign a token, by id. A key without an algorithm has the usual one of its type."""
    usable = {}
    for entry in published[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = PyJWK(entry)
        except PyJWTError:
            continue
        if key.algorithm_name in ALGORITHMS and isinstance(key.key_id, str):
            usable[key.key_id] = key
    return usable
