"""A partner's reservations by their keys.

Keys that lie together in the partner's order are read a stretch at a time, if the partner lists by keys. What
a list does not show is asked for by its key, so a list that leaves something out convicts nobody.
"""

import asyncio
from collections.abc import Iterable

from audit.facts import SeenReservation
from audit.partners import PAGE, PartnerReader

AT_ONCE = 8
SHORTEST = 8
"""If a list gives so few wanted rows that a shorter one is called for, each key is asked for by itself."""

Found = dict[str, SeenReservation]


async def read(reader: PartnerReader, keys: Iterable[str]) -> Found:
    """The reservations of these keys, of those that have one. Raises AuditError."""
    found: Found = {}
    left, alone, size = sorted(keys), list[str](), PAGE
    while left and size >= SHORTEST:
        head, *left = left
        await _ask(reader, [head], found)
        stretch = await reader.following(head, min(size, len(left))) if left else []
        if stretch is None:
            break
        listed = {one.key: one for one in stretch}
        wanted = listed.keys() & set(left)
        found |= {key: listed[key] for key in wanted}
        size = size // 4 if 4 * len(wanted) < len(listed) else PAGE
        last = stretch[-1].key if stretch else ""
        alone += [key for key in left if key <= last and key not in wanted]
        left = [key for key in left if key > last]
    await _ask(reader, alone + left, found)
    return found


async def _ask(reader: PartnerReader, keys: list[str], found: Found) -> None:
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        answers = await asyncio.gather(*(reader.one(key) for key in some))
        found |= {key: one for key, one in zip(some, answers, strict=True) if one is not None}
