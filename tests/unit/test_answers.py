"""What each answer of a partner is read as, from a real server."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from calling.http import Answer, PartnerHttp, Refused, Unanswered
from serving.client import open_client
from serving.upstream import Upstream
from tests.serving import served
from trip.calls import PartnerCall
from trip.partner import (
    PARTNER_ANSWER_INVALID,
    PARTNER_REFUSED,
    Partner,
    Reservation,
    ReservationStatus,
    Verb,
)

FLIGHT = Partner("flight")
HELD = {"key": "k", "reference": "R", "status": "held", "amount_minor": 5, "currency": "JPY"}
SOLD_OUT = {"code": "sold_out", "detail": "no seats are left"}
COME_BACK = {"Retry-After": "7"}
TOO_LONG = Response(b"x" * (64 * 1024 + 1))


def unusable(why: str) -> Unanswered:
    """The reading of an answer that does not fit the call."""
    return Unanswered(f"unusable answer: {why}", code=PARTNER_ANSWER_INVALID)


async def answer(response: Response, verb: Verb = Verb.RESERVE, *, after_s: float = 0) -> Answer:
    """The client's reading of the response."""

    async def respond(_request: Request) -> Response:
        await asyncio.sleep(after_s)
        return response

    app = Starlette(routes=[Route("/{path:path}", respond, methods=["PUT", "POST", "DELETE"])])
    async with served(app) as port, open_client(Upstream(f"http://127.0.0.1:{port}")) as client:
        http = PartnerHttp({FLIGHT: client})
        return await http.send(verb, FLIGHT, PartnerCall(key="k"), 0.5)


async def test_a_reservation() -> None:
    found = await answer(JSONResponse(HELD, 201))
    assert isinstance(found, Reservation) and found.status is ReservationStatus.HELD


@pytest.mark.parametrize(
    ("response", "verb", "expected"),
    [
        (JSONResponse(SOLD_OUT, 409), Verb.RESERVE, Refused("sold_out", "no seats are left", True)),
        (JSONResponse({"code": "sold_out"}, 409), Verb.RESERVE, Refused("sold_out", "answered 409", True)),
        (JSONResponse(SOLD_OUT, 409), Verb.CONFIRM, Unanswered("answered 409: no seats are left")),
        (JSONResponse(SOLD_OUT, 503), Verb.RESERVE, Unanswered("answered 503: no seats are left")),
        (Response(status_code=400), Verb.RESERVE, Refused(PARTNER_REFUSED, "answered 400", False)),
        (Response(status_code=429), Verb.RESERVE, Unanswered("answered 429")),
        (Response(status_code=404), Verb.RELEASE, Unanswered("answered 404")),
        (
            Response(status_code=503, headers={"Retry-After": "7"}),
            Verb.RESERVE,
            Unanswered("answered 503", 7),
        ),
        (JSONResponse({"key": "k"}), Verb.RESERVE, unusable("status: Field required")),
        (TOO_LONG, Verb.RESERVE, unusable("Invalid JSON: EOF while parsing a value at line 1 column 0")),
        (Response(status_code=302, headers={"Location": "/"}), Verb.RESERVE, Unanswered("answered 302")),
    ],
)
async def test_what_is_no_reservation(response: Response, verb: Verb, expected: Answer) -> None:
    assert await answer(response, verb) == expected


async def test_an_answer_that_comes_late() -> None:
    assert await answer(JSONResponse(HELD), after_s=0.7) == Unanswered(
        "no answer within 0.5 s", timed_out=True
    )


async def test_a_partner_that_is_not_there() -> None:
    async with open_client(Upstream("http://127.0.0.1:1")) as client:
        found = await PartnerHttp({FLIGHT: client}).send(Verb.RESERVE, FLIGHT, PartnerCall(key="k"), 5)
    assert isinstance(found, Unanswered) and "Cannot connect" in found.message
