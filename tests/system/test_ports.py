"""Every port of the system's own processes meets strangers in the same way."""

import asyncio
import json
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import pytest

from partners.catalogue import PARTNERS
from serving.protocol import MAX_HEAD
from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S

PROCESSES = ("api", "worker-1", "trips", *(partner.name for partner in PARTNERS))


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def place(system: RunningSystem, process: str) -> str:
    """Where the process answers."""
    return system.partners.get(process) or system.metrics[process].removesuffix("/metrics")


async def sent(url: str, request: bytes) -> Answer:
    """The only answer to these bytes, after which the connection has to end."""
    at = urlsplit(url)
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        try:
            writer.write(request)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


HEALTH = b"GET /healthz HTTP/1.1\r\n"
HOSTILE = {
    "no request": (b"nonsense\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a long head": (HEALTH + b"Host: x\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
    "a long path": (b"GET /" + b"x" * MAX_HEAD, 431),
    "no host": (HEALTH + b"\r\n", 400),
    "two hosts": (HEALTH + b"Host: x\r\nHost: y\r\n\r\n", 400),
    "two lengths": (HEALTH + b"Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "chunks too": (HEALTH + b"Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "a proxy's request": (b"CONNECT there:80 HTTP/1.1\r\nHost: there\r\n\r\n", 501),
    "a header folded": (HEALTH + b"Host: x\r\nX-A: b\r\n c\r\n\r\n", 400),
    "a name with a blank": (HEALTH + b"Host : x\r\n\r\n", 400),
}  # fmt: skip


@pytest.mark.parametrize("process", PROCESSES)
async def test_what_is_no_good_request_is_a_problem(system: RunningSystem, process: str) -> None:
    for name, (request, status) in HOSTILE.items():
        answer = await sent(place(system, process), request)
        assert answer.status == status, name
        assert answer.headers["content-type"] == "application/problem+json", name
        assert answer.headers["x-content-type-options"] == "nosniff", name
        problem = json.loads(answer.body)
        assert problem["status"] == status and problem["code"] and problem["detail"], name


async def test_a_refusal_does_not_ask_for_the_body(system: RunningSystem) -> None:
    asked = b"POST /trips HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n"
    answer = await sent(system.api, asked)
    assert (answer.status, answer.headers["connection"]) == (401, "close")


@pytest.mark.parametrize("process", PROCESSES)
async def test_answers_have_the_same_manners(
    system: RunningSystem, http: aiohttp.ClientSession, process: str
) -> None:
    url = place(system, process)
    for method, path, status in (
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/healthz", 405),
    ):
        async with http.request(method, url + path) as answer:
            body = await answer.read()
            assert answer.status == status, (method, path)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Server" not in answer.headers
            if status >= 400:
                assert answer.content_type == "application/problem+json"
                assert json.loads(body)["code"]
            if status == 405:
                assert "HEAD" in answer.headers["Allow"]
            assert bool(body) == (method != "HEAD")
