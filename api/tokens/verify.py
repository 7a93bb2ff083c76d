"""The one function through which the front door learns who calls: by stored tokens or by OpenID Connect."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp

from api.tokens import store as tokens
from api.tokens.caller import Caller
from api.tokens.keys import Keys
from api.tokens.oidc import verify as verify_signed
from config.settings import Settings
from record.pool import Pool

Verify = Callable[[str], Awaitable[Caller | None]]
"""Whose token it is, or None where it is nobody's.

Raises what tells that this cannot be known just now: asyncpg's and the system's errors, or KeysAway.
"""

REMEMBERED_S = 1.0
MAX_REMEMBERED = 10_000


def verifier(settings: Settings, pool: Pool, http: aiohttp.ClientSession) -> Verify:
    """How this deployment verifies: with an issuer by its signature, else by the tokens' table."""
    oidc = settings.oidc()
    if oidc is None:
        return remembered(partial(tokens.find, pool))
    return remembered(partial(verify_signed, oidc, Keys(oidc.keys_url, http)))


def remembered(verify: Verify, clock: Callable[[], float] = time.monotonic) -> Verify:
    """`verify`, asked again after a second, so that a token that is revoked is refused a second later.

    The MAX_REMEMBERED tokens verified last are remembered, by their hashes; refusals are not.
    """
    known: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def verify_or_remember(token: str) -> Caller | None:
        digest, asked = hashlib.sha256(token.encode()).digest(), clock()
        until, caller = known.get(digest, (asked, None))
        if asked < until:
            return caller
        caller = await verify(token)
        if caller is None:
            known.pop(digest, None)
            return None
        known[digest] = (asked + REMEMBERED_S, caller)
        known.move_to_end(digest)
        if len(known) > MAX_REMEMBERED:
            known.popitem(last=False)
        return caller

    return verify_or_remember
