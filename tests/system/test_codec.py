"""The codec endpoint decodes for operators alone, and answers the UI's origin alone."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from api.codec import COOKIE, WrittenPayload
from tests.conftest import RunningSystem
from trials.orders import Json, order
from trials.traveller import Traveller

FOREIGN = "http://127.0.0.1:9"


class Codec:
    """Calls of the endpoint."""

    def __init__(self, http: aiohttp.ClientSession, system: RunningSystem) -> None:
        self._http, self._system = http, system

    async def call(
        self, path: str, method: str = "POST", headers: Mapping[str, str] | None = None, body: Any = None
    ) -> tuple[aiohttp.ClientResponse, Any]:
        """A call, and its JSON if it has any."""
        url = f"{self._system.api}/codec/{path}"
        async with self._http.request(method, url, headers=headers, json=body) as answer:
            is_json = answer.content_type.endswith("json")
            return answer, await answer.json(content_type=None) if is_json else None

    def bearer(self, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._system.tokens[scope]}"}


@pytest.fixture
def codec(http: aiohttp.ClientSession, system: RunningSystem) -> Codec:
    return Codec(http, system)


@pytest.fixture(scope="module")
async def started_with(traveller: Traveller, system: RunningSystem) -> Payload:
    """The input of a trip's workflow, as Temporal has it."""
    trip = await traveller.book(order(), wait=60)
    client = await Client.connect(system.temporal)
    history = await client.get_workflow_handle(trip["trip_id"]).fetch_history()
    (payload,) = history.events[0].workflow_execution_started_event_attributes.input.payloads
    return payload


def written(*payloads: Payload) -> Json:
    return {"payloads": [WrittenPayload.of(payload).model_dump() for payload in payloads]}


async def test_an_operator_reads_what_temporal_has(codec: Codec, started_with: Payload) -> None:
    email = order()["traveller"]["email"].encode()
    assert email not in started_with.data
    answer, found = await codec.call("decode", headers=codec.bearer("operator"), body=written(started_with))
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert email in WrittenPayload.model_validate(found["payloads"][0]).read().data


@pytest.mark.parametrize(("scope", "status"), [(None, 401), ("traveller", 403)])
async def test_nobody_else_does(codec: Codec, started_with: Payload, scope: str | None, status: int) -> None:
    headers = codec.bearer(scope) if scope else {}
    answer, _ = await codec.call("decode", headers=headers, body=written(started_with))
    assert answer.status == status


async def test_what_the_codec_did_not_make_stays_as_it_is(codec: Codec) -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    metadata = {"encoding": b"binary/encrypted", "encryption-key-id": b"gone"}
    given = written(plain, Payload(metadata=metadata, data=b"\x00" * 40))
    given["payloads"][0]["externalPayloads"] = [{"sizeBytes": "1"}]
    _, found = await codec.call("decode", headers=codec.bearer("operator"), body=given)
    assert found == given


async def test_what_is_encoded_is_decoded(codec: Codec) -> None:
    plain = written(Payload(metadata={"encoding": b"json/plain"}, data=b'"a word"'))
    _, encoded = await codec.call("encode", headers=codec.bearer("operator"), body=plain)
    assert encoded != plain
    _, found = await codec.call("decode", headers=codec.bearer("operator"), body=encoded)
    assert found == plain


async def test_only_the_origin_of_the_ui_may_read_the_answer(
    codec: Codec, system: RunningSystem, started_with: Payload
) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
    allowed = "Access-Control-Allow-Origin"
    for origin, is_allowed in ((system.temporal_ui, True), (FOREIGN, False)):
        said = {"Origin": origin}
        first, _ = await codec.call("decode", "OPTIONS", said | asked)
        refused, _ = await codec.call("decode", headers=said, body=written(started_with))
        found, _ = await codec.call("decode", headers=said | codec.bearer("operator"), body=written())
        assert (refused.status, found.status) == (401, 200)
        for answer in (first, refused, found):
            assert answer.headers.get(allowed) == (origin if is_allowed else None)


async def test_a_browser_decodes_with_the_cookie_of_a_session(
    codec: Codec, system: RunningSystem, started_with: Payload
) -> None:
    answer, _ = await codec.call("session", headers=codec.bearer("operator"))
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 204
    assert {"HttpOnly", "SameSite=strict", "Path=/codec"} <= set(cookie.split("; "))
    kept = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}"}
    statuses = {}
    for origin in (system.temporal_ui, FOREIGN, None):
        headers = kept | ({"Origin": origin} if origin else {})
        answer, _ = await codec.call("decode", headers=headers, body=written(started_with))
        statuses[origin] = answer.status
    assert statuses == {system.temporal_ui: 200, FOREIGN: 401, None: 401}
    closed, _ = await codec.call("session", "DELETE", headers=codec.bearer("operator"))
    assert closed.cookies[COOKIE].value == ""


async def test_the_cookie_serves_no_other_call(system: RunningSystem, http: aiohttp.ClientSession) -> None:
    headers = {"Origin": system.temporal_ui, "Cookie": f"{COOKIE}={system.tokens['operator']}"}
    async with http.get(f"{system.api}/trips", headers=headers) as answer:
        assert answer.status == 401
        assert "Access-Control-Allow-Origin" not in answer.headers
