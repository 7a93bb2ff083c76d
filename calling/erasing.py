"""Has partners take the traveller out of reservations."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from serving.client import HttpClient, NoReply
from trip.partner import Partner

LIMIT_S = 10.0
AT_ONCE = 10

_KNOWS_NO_SUCH_CALL = frozenset({404, 405, 501})
"""A partner that answers so keeps what it keeps. Its data are its own duty."""


class PartnerAway(Exception):
    """A partner did not answer, so that nobody knows what it still keeps."""


async def erase_at_partners(
    clients: Mapping[Partner, HttpClient], reservations: Mapping[str, Sequence[Partner]]
) -> None:
    """Ask the partners of each key, however often. Raises PartnerAway."""
    places = asyncio.Semaphore(AT_ONCE)

    async def ask(key: str, partner: Partner) -> None:
        async with places:
            await _erase(partner, clients[partner], key)

    asked = [ask(key, partner) for key, partners in reservations.items() for partner in partners]
    for error in await asyncio.gather(*asked, return_exceptions=True):
        if error is not None:
            raise error


async def _erase(partner: Partner, client: HttpClient, key: str) -> None:
    path = f"/reservations/{quote(key, safe='')}/erase"
    try:
        reply = await client.ask("POST", path, limit_s=LIMIT_S)
    except NoReply as error:
        raise PartnerAway(f"{partner}: {error}") from error
    if not (200 <= reply.status < 300 or reply.status in _KNOWS_NO_SUCH_CALL):
        raise PartnerAway(f"{partner}: answered {reply.status}")
