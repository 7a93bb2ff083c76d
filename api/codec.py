"""Payloads of Temporal's histories in clear, for the fleet: the calls of a codec server, as Temporal's UI and
command line make them.

The UI runs in a browser, at an origin of its own, and has no token of this front door. So the caller's
browser is given a cookie, which counts at these calls and from that origin alone.
"""

import base64
from typing import Annotated, Self

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette import types
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import cookie_parser
from temporalio.api.common.v1 import Payload

from api.authentication import FleetRoute, authenticated, bearer_token
from api.door import OpenDoor
from api.tokens.caller import Scope
from config.codec import Codec, NotDecoded
from serving.problems import documented, problem

PLACE = "/codec"
COOKIE = "trips_codec"
SESSION_S = 12 * 3600


class CodecOff(Exception):
    """This front door has no keys. Answered 404 `codec_off`."""


async def codec_off(_request: Request, _error: Exception) -> JSONResponse:
    """The answer to CodecOff."""
    return problem(404, "codec_off", "payloads are not encrypted here; set TRIPS_CODEC_KEYS")


class _CodecRoute(FleetRoute):
    """Answers the UI's origin, whose calls may have the cookie in place of the header."""

    takes_any_parameter = True
    """Temporal's UI sends some of its own, which change with its version."""

    most_bytes = 4 * 1024 * 1024
    """As much as Temporal takes in one message."""

    async def handle(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        origin: str = scope["app"].state.door.settings.ui_origin
        if Headers(scope=scope).get("Origin") != origin:
            await super().handle(scope, receive, send)
            return
        answering = CORSMiddleware(
            super().handle,
            allow_origins=[origin],
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "X-Namespace"],
            allow_credentials=True,
        )
        await answering(_with_cookie(scope), receive, send)


router = authenticated(Scope.FLEET, prefix=PLACE, tags=["codec"], route_class=_CodecRoute)


def _with_cookie(scope: types.Scope) -> types.Scope:
    headers = Headers(scope=scope)
    if "Authorization" in headers:
        return scope
    token = cookie_parser(headers.get("Cookie", "")).get(COOKIE)
    given = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return {**scope, "headers": [*scope["headers"], *given]}


_Base64 = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")
]


class WrittenPayload(BaseModel):
    """A payload in Temporal's JSON: the values of its metadata, and its data, as base64."""

    model_config = ConfigDict(extra="allow")

    metadata: dict[str, _Base64] = {}
    data: _Base64 = ""

    def read(self) -> Payload:
        """The payload."""
        metadata = {name: base64.b64decode(value) for name, value in self.metadata.items()}
        return Payload(metadata=metadata, data=base64.b64decode(self.data))

    @classmethod
    def of(cls, payload: Payload) -> Self:
        """As it is written."""
        metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
        return cls(metadata=metadata, data=base64.b64encode(payload.data).decode())


_PLAIN = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "InBsYWluIg=="}
"""The text "plain" in JSON, not encrypted."""


class WrittenPayloads(BaseModel):
    """What Temporal's UI sends, and is answered."""

    payloads: Annotated[list[WrittenPayload], Field(examples=[[_PLAIN]])]


async def _codec(door: OpenDoor) -> Codec:
    if door.codec is None:
        raise CodecOff
    return door.codec


_OpenCodec = Annotated[Codec, Depends(_codec)]
_CALL = documented(408, 413, 415, 422, broken_json=422, codec_off=404)


@router.post("/decode", responses=_CALL)
async def decode_payloads(codec: _OpenCodec, body: WrittenPayloads, response: Response) -> WrittenPayloads:
    """The payloads in clear. One that is in clear, or whose key is not known any more, stays as it is."""
    response.headers["Cache-Control"] = "no-store"
    return WrittenPayloads(payloads=[_decoded(codec, one) for one in body.payloads])


def _decoded(codec: Codec, written: WrittenPayload) -> WrittenPayload:
    given = written.read()
    try:
        found = codec.decoded(given)
    except NotDecoded:
        return written
    return written if found is given else WrittenPayload.of(found)


@router.post("/encode", responses=_CALL)
async def encode_payloads(codec: _OpenCodec, body: WrittenPayloads) -> WrittenPayloads:
    """The payloads encrypted, for what the UI or the command line starts or sends."""
    encoded = await codec.encode([one.read() for one in body.payloads])
    return WrittenPayloads(payloads=[WrittenPayload.of(one) for one in encoded])


@router.post("/session", status_code=204, responses=documented(408, 413, 422, codec_off=404))
async def open_codec_session(door: OpenDoor, _codec: _OpenCodec, request: Request) -> Response:
    """Have this browser decode in Temporal's UI for twelve hours, or until the session is closed."""
    answer = Response(status_code=204)
    answer.set_cookie(
        COOKIE,
        bearer_token(request.scope) or "",
        max_age=SESSION_S,
        path=door.settings.root_path + PLACE,
        secure=door.settings.ui_origin.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return answer


@router.delete("/session", status_code=204, responses=documented(408, 413, 422))
async def close_codec_session(door: OpenDoor) -> Response:
    """Have this browser decode no more."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path=door.settings.root_path + PLACE, httponly=True, samesite="strict")
    return answer
