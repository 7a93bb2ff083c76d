"""Bad bodies: each is refused with a 4xx that names the field, and starts nothing."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from trials.orders import Json, order, some_day
from trials.traveller import Traveller

DAY = some_day()
LATE = str(DAY + timedelta(days=2000))

Change = Callable[[Json], object]


def put(path: str, value: Any) -> Change:
    """A change that sets the field at `path`."""
    *parents, last = path.split(".")

    def change(body: Json) -> None:
        for parent in parents:
            body = body[parent]
        body[last] = value

    return change


def drop(path: str) -> Change:
    """A change that leaves out the field at `path`."""
    *parents, last = path.split(".")

    def change(body: Json) -> None:
        for parent in parents:
            body = body[parent]
        del body[last]

    return change


WRONG_VALUES: dict[str, list[Any]] = {
    "traveller": [None, "Ada", 7, []],
    "traveller.name": ["", "x" * 201, "a\x00b", "line\nbreak", "\x9b", None, 5],
    "traveller.email": ["ada", "", "ada @example.com", 7, None],
    "traveller.member_id": ["", "x" * 201, 7, None],
    "hotel.hotel_id": ["", None, 3, "x" * 201],
    "hotel.check_in": ["2020-01-01", "soon", 20270301, "2027-02-30", None, LATE],
    "hotel.check_out": [str(DAY), str(DAY - timedelta(days=1)), str(DAY + timedelta(days=61)), None],
    "hotel.rooms": [0, -1, 21, 10**30, 1.5, "1", True, None],
    "tour.date": ["1999-12-31", "", {}, LATE],
    "tour.seats": [0, 21, "two"],
    "flight.seats": [0, 10**9, [1]],
    "flight.flight_no": ["", "\x7f"],
    "points.redeem": [0, -5, 10**9 + 1, "all", 0.5],
    "payment": [None, "tok_visa"],
    "payment.card_token": ["", None],
    "payment.currency": ["EUR", "jpy", "", 392, None],
    "when_partner_down": ["retry", None, 1],
    "deadline_s": [0, -1, 86_401, "300", None, 1.5],
}

CASES: list[tuple[str, Change, str]] = [
    *(
        (f"{path} {place}", put(path, value), path.split(".")[-1])
        for path, values in WRONG_VALUES.items()
        for place, value in enumerate(values)
    ),
    *(
        (f"without {path}", drop(path), path.split(".")[-1])
        for path in (
            "traveller",
            "traveller.name",
            "traveller.member_id",
            "hotel.rooms",
            "tour.date",
            "payment",
        )
    ),
    ("unknown field", put("breakfast", True), "breakfast"),
    ("unknown field in a part", put("hotel.breakfast", True), "breakfast"),
    (
        "no part at all",
        lambda body: [body.pop(part) for part in ("hotel", "tour", "flight")],
        "hotel",
    ),
]


@pytest.mark.parametrize(("change", "field"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_a_bad_field_is_named(traveller: Traveller, change: Change, field: str) -> None:
    body = order(DAY)
    change(body)
    status, answer = await traveller.call("POST", "/trips", json=body)
    assert status == 422, answer
    assert field in answer["detail"], answer
    assert all(error["field"] and error["message"] for error in answer["errors"])


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (b"", {422}),
        (b"{", {422}),
        (b"[]", {422}),
        (b"null", {422}),
        (b'"trip"', {422}),
        (b"\xff\xfe{}", {400, 422}),
        (b'{"traveller": ' + b"[" * 20_000, {400, 422}),
        (b'{"deadline_s": ' + b"9" * 5_000 + b"}", {400, 422}),
        (json.dumps(order(DAY)).replace("Ada Lovelace", "\\ud800").encode(), {422}),
        (b" " * (5 * 1024 * 1024), {413}),
        (json.dumps(order(DAY, note="x" * 70_000)).encode(), {413}),
    ],
    ids=[
        "empty", "broken", "array", "null", "text", "not UTF-8", "deep", "long number", "surrogate",
        "5 MB", "70 kB",
    ],
)  # fmt: skip
async def test_a_body_that_is_no_order_is_refused(
    traveller: Traveller, raw: bytes, statuses: set[int]
) -> None:
    status, answer = await traveller.call(
        "POST", "/trips", data=io.BytesIO(raw), headers={"Content-Type": "application/json"}
    )
    assert status in statuses, answer
    assert answer["code"] and answer["detail"]


async def test_refused_orders_start_nothing(traveller: Traveller) -> None:
    before = (await traveller.call("GET", "/trips?limit=1"))[1]["items"]
    for _, change, _ in CASES[:10]:
        body = order(DAY)
        change(body)
        await traveller.call("POST", "/trips", json=body)
    after = (await traveller.call("GET", "/trips?limit=1"))[1]["items"]
    assert [trip["trip_id"] for trip in before] == [trip["trip_id"] for trip in after]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=WzFd", "status=lost"]
)
async def test_a_bad_page_is_refused(traveller: Traveller, query: str) -> None:
    status, answer = await traveller.call("GET", f"/trips?{query}")
    assert status == 422
    assert query.partition("=")[0] in answer["detail"]


@pytest.mark.parametrize(("method", "path", "code"), [("GET", "/nowhere", 404), ("DELETE", "/trips", 405)])
async def test_other_errors_are_problems_too(traveller: Traveller, method: str, path: str, code: int) -> None:
    status, answer = await traveller.call(method, path)
    assert status == code
    assert answer["status"] == code and answer["code"]
