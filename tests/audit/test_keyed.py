"""Reservations by their keys, from partners that list them by keys and from partners that do not."""

from collections.abc import Callable, Sequence

import pytest
from aiohttp import web

from audit import keyed
from audit.keyed import Found
from audit.partners import PartnerReader
from serving.client import open_client
from serving.upstream import Upstream
from tests.answers.ground import serving
from trip.partner import Partner

pytestmark = pytest.mark.server

KEYS = [f"trip-{number:05}" for number in range(2000)]

Lists = Callable[[Sequence[str], str, int], Sequence[str] | None]
"""The keys that a partner lists of all that it knows, behind a key; None: it refuses the question."""


def in_order(known: Sequence[str], after: str, limit: int) -> Sequence[str]:
    return [key for key in known if key > after][:limit]


def from_the_first(known: Sequence[str], _after: str, limit: int) -> Sequence[str]:
    return known[:limit]


def newest_first(known: Sequence[str], _after: str, limit: int) -> Sequence[str]:
    return known[::-1][:limit]


def with_gaps(known: Sequence[str], after: str, limit: int) -> Sequence[str]:
    return [key for key in in_order(known, after, limit) if not key.endswith("7")]


def not_at_all(_known: Sequence[str], _after: str, _limit: int) -> None:
    return None


async def read(known: Sequence[str], wanted: Sequence[str], lists: Lists) -> tuple[Found, int]:
    """What is found of the wanted keys, and how many calls it took."""
    calls, there = 0, set(known)

    async def handle(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        key = request.match_info["path"].removeprefix("reservations").removeprefix("/")
        if key:
            row = {"key": key, "status": "held"}
            return web.json_response(row, status=200 if key in there else 404)
        listed = lists(known, request.query["after"], int(request.query["limit"]))
        if listed is None:
            return web.Response(status=422)
        items = [{"key": one, "status": "held"} for one in listed]
        return web.json_response({"items": items, "next_cursor": None})

    async with serving(handle) as port, open_client(Upstream(f"http://127.0.0.1:{port}")) as client:
        return await keyed.read(PartnerReader(Partner("flight"), client), wanted), calls


@pytest.mark.parametrize("lists", [in_order, from_the_first, newest_first, with_gaps, not_at_all])
async def test_each_key_that_is_there_is_found_and_no_other(lists: Lists) -> None:
    known = [key for key in KEYS[:300] if not key.endswith("3")]
    wanted = KEYS[50:250]
    found, _ = await read(known, wanted, lists)
    assert found.keys() == set(known) & set(wanted)
    assert all(found[key].key == key for key in found)


async def test_keys_that_lie_together_take_few_calls() -> None:
    found, calls = await read(KEYS, KEYS[500:1500], in_order)
    assert len(found) == 1000
    assert calls <= 2 * 3


async def test_keys_far_apart_take_little_more_than_a_call_each() -> None:
    wanted = KEYS[::100]
    found, calls = await read(KEYS, wanted, in_order)
    assert len(found) == len(wanted)
    assert calls <= 2 * len(wanted)
