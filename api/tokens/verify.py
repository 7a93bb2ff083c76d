"""How the front door learns who calls: from stored tokens or from OpenID Connect."""

import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import aiohttp

from api.tokens import store as tokens
from api.tokens.caller import Caller
from api.tokens.keys import Keys
from api.tokens.oidc import verify as verify_signed
from api.tokens.rates import Rates
from config.settings import Settings
from record.pool import Pool

Look = Callable[[str], Awaitable[Caller | None]]
"""A token in, its caller or None out. Raises RecordAway or KeysAway if that cannot be known now."""

REMEMBERED_S = 1.0
MAX_REMEMBERED = 10_000


class TooManyRefusals(Exception):
    """So many tokens from this address were refused that no other one is looked up now."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"wait {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class _Found:
    caller: Caller | None
    until: float


class Verifier:
    """Who a token stands for, remembered for a second: a revoked token is refused a second later at most.

    The last MAX_REMEMBERED accepted tokens are remembered, by their hashes, and as many refused ones. Each
    refused look counts against the address that it came from. A token that was accepted before is looked up
    all the same, so that those who share an address with a flood go on.
    """

    def __init__(self, look: Look, refusals: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._refusals = refusals
        self._clock = clock
        self._accepted: OrderedDict[bytes, _Found] = OrderedDict()
        self._refused: OrderedDict[bytes, _Found] = OrderedDict()

    def has_accepted(self, token: str) -> bool:
        """Whether the token was valid when it was looked up last."""
        return _digest(token) in self._accepted

    async def find(self, token: str, address: str) -> Caller | None:
        """The token's caller, or None. Raises TooManyRefusals, RecordAway and KeysAway."""
        digest, asked = _digest(token), self._clock()
        known = self._accepted.get(digest) or self._refused.get(digest)
        if known is not None and asked < known.until:
            return known.caller
        if digest in self._accepted:
            caller = await self._look(token)
        else:
            caller = await self._first_look(token, address)
        kept, other = (self._refused, self._accepted) if caller is None else (self._accepted, self._refused)
        other.pop(digest, None)
        kept[digest] = _Found(caller, asked + REMEMBERED_S)
        kept.move_to_end(digest)
        if len(kept) > MAX_REMEMBERED:
            kept.popitem(last=False)
        return caller

    async def _first_look(self, token: str, address: str) -> Caller | None:
        # Counted before the look, so that many at once cannot pass together.
        wait_s = self._refusals.wait_s(address)
        if wait_s:
            raise TooManyRefusals(wait_s)
        refused = False
        try:
            caller = await self._look(token)
            refused = caller is None
        finally:
            if not refused:
                self._refusals.give_back(address)
        return caller


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@contextlib.asynccontextmanager
async def verifying(settings: Settings, pool: Pool, http: aiohttp.ClientSession) -> AsyncIterator[Verifier]:
    """The way of this deployment: by signature if an issuer is set, else by the table of tokens."""
    refusals = Rates(settings.refusals_per_minute)
    oidc = settings.oidc()
    if oidc is None:
        yield Verifier(partial(tokens.find, pool), refusals)
        return
    keys = Keys(oidc.keys_url, http)
    async with keys.refreshed():
        yield Verifier(partial(verify_signed, oidc, keys), refusals)
