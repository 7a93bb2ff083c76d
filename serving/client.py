"""Requests to one other service, each with a bound on its time and on what is read of the answer."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from serving.fields import shown
from serving.running import time_limit
from serving.upstream import Upstream

MAX_BODY = 64 * 1024


class NoReply(Exception):
    """The service gave no whole answer, so nobody knows whether the request took effect."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(shown(message))
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status.

    The body is as it came: the service is asked not to compress it. It is empty if it was too long.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpClient:
    """Requests over connections of their own. No redirect is followed, no cookie is kept."""

    url: str
    session: aiohttp.ClientSession

    async def ask(  # noqa: PLR0913  what a request has
        self,
        method: str,
        path: str,
        *,
        limit_s: float,
        json: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_BODY,
    ) -> Reply:
        """One request, sent once, and at most `max_body` bytes of its answer's body. Raises NoReply."""
        try:
            async with (
                time_limit(limit_s),
                self.session.request(
                    method, self.url + path, json=json, params=query, headers=headers, allow_redirects=False
                ) as answer,
            ):
                return Reply(answer.status, answer.headers, await _body(answer, max_body))
        except TimeoutError:
            raise NoReply(f"no answer within {limit_s:g} s", timed_out=True) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoReply(str(error) or type(error).__name__) from error


@asynccontextmanager
async def open_client(upstream: Upstream) -> AsyncIterator[HttpClient]:
    """A client with a pool of its own. The pool has no bound: its callers say how many requests go out.

    So no request waits for a connection, and what it takes is the service's own time. Raises OSError.
    """
    headers = {"Accept-Encoding": "identity"}
    if upstream.token:
        headers["Authorization"] = f"Bearer {upstream.token}"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=upstream.tls()),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        proxy=upstream.proxy,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(),  # the limit is that of each request
    ) as session:
        # If a connection is cut, aiohttp would repeat a PUT or DELETE by itself, and nobody would count it.
        session._retry_connection = False
        yield HttpClient(upstream.url, session)


async def ailment(client: HttpClient, limit_s: float) -> str | None:
    """What is wrong with the service by its health check. None: it answered 200 with `{"status": "ok"}`."""
    try:
        reply = await client.ask("GET", "/healthz", limit_s=limit_s)
    except NoReply as error:
        return f"health check: {error}"
    if reply.status != 200:
        return f"health check answered {reply.status}"
    try:
        health = json.loads(reply.body)
    except (ValueError, RecursionError):
        health = None
    is_well = isinstance(health, dict) and health.get("status") == "ok"
    return None if is_well else 'health check did not answer {"status": "ok"}'


async def _body(answer: aiohttp.ClientResponse, longest: int) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > longest:
            return b""
    return bytes(body)
