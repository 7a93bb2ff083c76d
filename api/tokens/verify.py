"""How the front door learns who calls: from stored tokens or from OpenID Connect."""

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
"""A token in, its caller or None out. Raises RecordAway or KeysAway if that cannot be known now."""

REMEMBERED_S = 1.0
MAX_REMEMBERED = 10_000


def verifier(settings: Settings, pool: Pool, http: aiohttp.ClientSession) -> Verify:
    """The way of this deployment: by signature if an issuer is set, else by the table of tokens."""
    oidc = settings.oidc()
    if oidc is None:
        return remembered(partial(tokens.find, pool))
    return remembered(partial(verify_signed, oidc, Keys(oidc.keys_url, http)))


def remembered(verify: Verify, clock: Callable[[], float] = time.monotonic) -> Verify:
    """`verify` with a memory of a second, so a revoked token is refused a second later at most.

    The last MAX_REMEMBERED accepted tokens are remembered, by their hashes. Refusals are not.
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
