"""One call to a partner, as the peers make it: one request with one time limit."""

import aiohttp

from trials.orders import Json

LIMIT = aiohttp.ClientTimeout(total=5)
_REQUESTS = {"hold": ("PUT", ""), "confirm": ("POST", "/confirm"), "release": ("DELETE", "")}


def open_session() -> aiohttp.ClientSession:
    """Connections for a peer. As in the system, aiohttp repeats no request by itself."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))
    session._retry_connection = False
    return session


class Refused(Exception):
    """The partner's final no."""


class Unanswered(Exception):
    """Whether the call took effect is unknown."""


async def call_partner(
    http: aiohttp.ClientSession, url: str, verb: str, key: str, body: Json | None = None
) -> int:
    """The reservation's price in minor units. Raises Refused, and Unanswered if another attempt may tell."""
    method, path = _REQUESTS[verb]
    try:
        async with http.request(
            method, f"{url}/reservations/{key}{path}", json=body, timeout=LIMIT
        ) as answer:
            content = await answer.json(content_type=None)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unanswered(f"{url}: {error or type(error).__name__}") from error
    if answer.status in (404, 409, 422):
        raise Refused(f"{url}: {content['code']}")
    if answer.status >= 300:
        raise Unanswered(f"{url} answered {answer.status}")
    return int(content["amount_minor"] or 0)
