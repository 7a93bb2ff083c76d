"""The audit of a partner that lists what it likes reports it, or ends with a reason."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from audit import partners
from audit.errors import AuditError
from audit.facts import PartnerFacts
from audit.partners import PartnerReader
from serving.client import open_client
from serving.upstream import Upstream
from tests.answers.ground import serving
from trip.partner import Partner

FIT: dict[str, Any] = {
    "key": "a-trip",
    "reference": "R",
    "status": "held",
    "amount_minor": 5,
    "currency": "JPY",
    "expires_at": (datetime.now(UTC) + timedelta(minutes=15)).isoformat(),
}


async def read(page: Callable[[web.Request], bytes]) -> PartnerFacts:
    """What is read of a flight partner whose reservations are listed so; its stock is empty."""

    async def handle(request: web.Request) -> web.Response:
        empty = b'{"items": [], "next_cursor": null}'
        body = page(request) if request.path == "/reservations" else empty
        return web.Response(body=body, content_type="application/json")

    async with serving(handle) as port, open_client(Upstream(f"http://127.0.0.1:{port}")) as client:
        return await PartnerReader(Partner("flight"), client).read()


def listing(*rows: Any) -> Callable[[web.Request], bytes]:
    return lambda _request: json.dumps({"items": rows, "next_cursor": None}).encode()


UNSOUND: dict[str, dict[str, Any]] = {
    "amount as text": {"amount_minor": "5"},
    "amount true": {"amount_minor": True},
    "amount with a fraction": {"amount_minor": 5.5},
    "another status": {"status": "booked"},
    "reference with NUL": {"reference": "\0"},
    "reference too long": {"reference": "R" * 60_000},
    "currency with a newline": {"currency": "JPY\n"},
    "expiry without a zone": {"expires_at": "2999-01-01T00:00:00"},
    "no key": {"key": None},
    "key with NUL": {"key": "\0a"},
}


@pytest.mark.parametrize("name", UNSOUND)
async def test_a_row_that_cannot_be_read_is_reported_beside_the_others(name: str) -> None:
    facts = await read(listing(FIT | {"key": "another"}, FIT | UNSOUND[name], 7))
    assert set(facts.after) == {"another"}
    assert facts.unsound
    assert all(text.isprintable() and len(text) <= 300 for pair in facts.unsound.items() for text in pair)


async def test_a_key_that_is_listed_twice_is_reported() -> None:
    facts = await read(listing(FIT, FIT | {"amount_minor": 6}))
    assert set(facts.unsound) == {"a-trip"}


def again(_request: web.Request) -> bytes:
    return json.dumps({"items": [FIT], "next_cursor": "x"}).encode()


def without_end(request: web.Request) -> bytes:
    number = int(request.query.get("cursor", "0")) + 1
    rows = [FIT | {"key": f"{number}-{place}"} for place in range(100)]
    return json.dumps({"items": rows, "next_cursor": str(number)}).encode()


UNREADABLE: dict[str, Callable[[web.Request], bytes]] = {
    "the same page again": again,
    "pages without end": without_end,
    "an empty page before another": lambda _: b'{"items": [], "next_cursor": "x"}',
    "a cursor that is no text": lambda _: b'{"items": [1], "next_cursor": 7}',
    "no items": lambda _: b'{"next_cursor": null}',
    "a list": lambda _: b"[]",
    "a page of HTML": lambda _: b"<html>",
    "nested deep": lambda _: b"[" * 100_000,
    "too long": lambda _: b'{"items": [], "next_cursor": null}' + b" " * partners.MAX_PAGE,
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_list_that_cannot_be_read_ends_the_audit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partners, "MAX_ROWS", 1000)
    with pytest.raises(AuditError, match="flight at http"):
        await read(UNREADABLE[name])
