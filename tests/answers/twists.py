"""Ways to twist a partner's answer. Each takes the honest answer and gives another one."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from trip.partner import Verb

HOLD, CONFIRM, RELEASE = Verb.RESERVE, Verb.CONFIRM, Verb.RELEASE
LONG = 60_000


@dataclass(frozen=True)
class Sent:
    """An answer as it goes over the wire."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


Twist = Callable[[Sent], Sent]


def honest(sent: Sent) -> Sent:
    return sent


def fields(**changes: Any) -> Twist:
    """The reservation with other values."""
    return lambda sent: replace(sent, body=json.dumps(sent.document | changes).encode())


def without(name: str) -> Twist:
    """The reservation without a field."""
    return lambda sent: replace(
        sent, body=json.dumps({k: v for k, v in sent.document.items() if k != name}).encode()
    )


def amount(change: Callable[[int], Any]) -> Twist:
    """The reservation with an amount that is made of the honest one."""
    return lambda sent: fields(amount_minor=change(sent.document["amount_minor"]))(sent)


def raw_amount(digits: str) -> Twist:
    """The reservation with an amount that Python does not write so."""
    return lambda sent: replace(
        sent, body=fields(amount_minor=424_242)(sent).body.replace(b"424242", digits.encode())
    )


def body(content: bytes) -> Twist:
    return lambda sent: replace(sent, body=content)


def status(number: int, **headers: str) -> Twist:
    """The same body with another HTTP status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda sent: replace(sent, status=number, headers=named)


def refusal(number: int, code: str = "", detail: str = "no") -> Twist:
    """A problem; an empty `code` leaves it out."""
    problem = {"detail": detail} | ({"code": code} if code else {})
    return lambda sent: Sent(number, json.dumps(problem).encode())


def headers(**given: str) -> Twist:
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return lambda sent: replace(sent, headers=named)


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def zipped(sent: Sent) -> Sent:
    """Compressed, although nobody asked for it."""
    return replace(sent, body=gzip.compress(sent.body), headers={"Content-Encoding": "gzip"})


UNUSABLE: dict[str, Twist] = {
    "another currency": fields(currency="EUR"),
    "no currency": without("currency"),
    "currency null": fields(currency=None),
    "currency in small letters": fields(currency="jpy"),
    "another key": fields(key="another"),
    "no key": without("key"),
    "key null": fields(key=None),
    "no status": without("status"),
    "status expired": fields(status="expired"),
    "status of nobody": fields(status="booked"),
    "status in capitals": fields(status="HELD"),
    "no amount": without("amount_minor"),
    "amount null": fields(amount_minor=None),
    "amount true": fields(amount_minor=True),
    "amount false": fields(amount_minor=False),
    "amount as text": amount(str),
    "amount with a fraction": amount(lambda was: was + 0.5),
    "amount written as a fraction": amount(float),
    "amount with an exponent": raw_amount("1e3"),
    "amount NaN": raw_amount("NaN"),
    "amount of 400 digits": raw_amount("1" + "0" * 400),
    "amount of 5000 digits": raw_amount("1" * 5000),
    "amount a list": fields(amount_minor=[1]),
    "amount above the bound": fields(amount_minor=10**12 + 1),
    "amount below the bound": fields(amount_minor=-(10**12) - 1),
    "no reference": without("reference"),
    "reference null": fields(reference=None),
    "reference empty": fields(reference=""),
    "reference too long": fields(reference="R" * 201),
    "reference with NUL": fields(reference="R\0R"),
    "reference with a newline": fields(reference="R\n"),
    "reference with a C1 control": fields(reference="R\x85"),
    "reference a number": fields(reference=7),
    "reference half a surrogate pair": lambda sent: replace(
        sent, body=fields(reference="@")(sent).body.replace(b"@", rb"\ud800")
    ),
    "expired long ago": fields(expires_at="2020-01-01T00:00:00Z"),
    "expired a minute ago": fields(expires_at=ago(minutes=1)),
    "expiry without a zone": fields(expires_at="2999-01-01T00:00:00"),
    "expiry a number": fields(expires_at=32_472_144_000),
    "expiry no time": fields(expires_at="soon"),
    "expiry a day": fields(expires_at="2999-01-01"),
    "a list": lambda sent: replace(sent, body=b"[" + sent.body + b"]"),
    "null": body(b"null"),
    "nothing": body(b""),
    "a page": body(b"<!doctype html><title>Sign in</title>"),
    "half of it": lambda sent: replace(sent, body=sent.body[: len(sent.body) // 2]),
    "twice": lambda sent: replace(sent, body=sent.body * 2),
    "not UTF-8": lambda sent: replace(sent, body=sent.body.replace(b'"reference"', b'"\xff\xfe"')),
    "nested deep": lambda sent: replace(sent, body=b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    "too long": lambda sent: replace(sent, body=sent.body + b" " * 64 * 1024),
    "compressed": zipped,
    "status 202": status(202),
    "status 203": status(203),
    "status 204": lambda sent: Sent(204, b""),
    "status 299": status(299),
}
"""At a hold and at a confirmation, of any partner."""

UNUSABLE_OF: dict[tuple[str, Verb], dict[str, Twist]] = {
    ("flight", HOLD): {
        "negative": amount(lambda was: -was),
        "new and confirmed": lambda sent: fields(status="confirmed")(status(201)(sent)),
        "released": fields(status="released"),
    },
    ("points", HOLD): {
        "positive": amount(lambda was: -was),
        "more than redeemed": amount(lambda was: was - 1),
        "released": fields(status="released"),
    },
    ("payment", HOLD): {
        "less than asked": amount(lambda was: was - 1),
        "more than asked": amount(lambda was: was + 1),
        "for nothing": fields(amount_minor=0),
        "negative": amount(lambda was: -was),
        "released": fields(status="released"),
    },
    **{
        (partner, CONFIRM): {
            "held": fields(status="held"),
            "released": fields(status="released"),
            "more than held": amount(lambda was: was + 1),
            "less than held": amount(lambda was: was - 1),
        }
        for partner in ("flight", "points", "payment")
    },
    **{
        (partner, RELEASE): {
            "held": fields(status="held"),
            "confirmed": fields(status="confirmed"),
            "another key": fields(key="another"),
            "no key": without("key"),
            "a page": body(b"<html>"),
            "too long": lambda sent: replace(sent, body=sent.body + b" " * 64 * 1024),
            "status 204": lambda sent: Sent(204, b""),
        }
        for partner in ("flight", "points", "payment")
    },
}
"""At one verb of one kind of partner."""

USABLE: dict[str, Twist] = {
    "honest": honest,
    "more fields": fields(note="x" * 1000, links=[1, {"a": None}]),
    "expiry missing": without("expires_at"),
    "expiry null": fields(expires_at=None),
    "expiry of another zone": fields(expires_at="2999-01-01T00:00:00+14:00"),
    "reference of 200 characters": fields(reference="é" * 200),
    "called a page": headers(Content_Type="text/html"),
    "with cookies": headers(Set_Cookie="session=" + "x" * 2000),
    "with spaces": lambda sent: replace(sent, body=b"\n " + sent.body + b"\n"),
}

REFUSED: dict[str, tuple[Verb, Twist, str, bool]] = {
    **{
        f"hold {number} {code or 'without a code'}": (
            HOLD,
            refusal(number, code),
            code if known else "partner_refused",
            known,
        )
        for number in (400, 404, 409, 410, 422)
        for code, known in (("", False), ("nonsense", False), ("sold_out", True))
    },
    "hold closed": (HOLD, refusal(409, "closed"), "closed", True),
    "hold declined with 402": (HOLD, refusal(402, "declined"), "declined", True),
    "hold 409 with a page": (HOLD, lambda sent: Sent(409, b"<html>"), "partner_refused", False),
    "hold 409 with a code that is no text": (
        HOLD,
        lambda sent: Sent(409, b'{"code":["sold_out"]}'),
        "partner_refused",
        False,
    ),
    "confirmation expired": (CONFIRM, refusal(409, "expired"), "expired", True),
    "confirmation closed": (CONFIRM, refusal(409, "closed"), "closed", True),
    "confirmation 404": (CONFIRM, refusal(404), "partner_refused", True),
    "confirmation 404 unknown_key": (CONFIRM, refusal(404, "unknown_key"), "partner_refused", True),
    "confirmation 404 with a page": (CONFIRM, lambda sent: Sent(404, b"<html>"), "partner_refused", True),
}
"""Refusals for good: at what, the code, and whether the attempt surely took no effect."""

UNANSWERED: dict[str, tuple[Verb, Twist]] = {
    **{
        f"{verb} {number} {code}": (verb, refusal(number, code))
        for verb, code in ((HOLD, "sold_out"), (CONFIRM, "expired"), (RELEASE, "closed"))
        for number in (401, 403, 408, 429, 500, 502, 503, 599)
    },
    **{f"{verb} 302": (verb, status(302, Location="/elsewhere")) for verb in Verb},
    "hold 405": (HOLD, refusal(405)),
    "hold 304": (HOLD, lambda sent: Sent(304, b"")),
    "confirmation 409 of a hold": (CONFIRM, refusal(409, "sold_out")),
    "confirmation 409 without a code": (CONFIRM, refusal(409)),
    "confirmation 422": (CONFIRM, refusal(422)),
    "release 404": (RELEASE, refusal(404, "unknown_key")),
    "release 409": (RELEASE, refusal(409, "closed")),
    "hold 503 with much to say": (HOLD, refusal(503, detail="\0\n\x1b[31m" + "x" * LONG)),
}
"""Neither an answer of use nor a refusal for good."""
