"""How many connections a process takes: fewer than the files that it may have open.

A process without a file left cannot even reach its database.
"""

import asyncio
import contextlib
import resource

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.limits import refuse
from serving.problems import unavailable

MOST_FILES = 1_048_576
"""If the system sets no limit."""

RESERVE = 80
"""Files that a process needs for itself at least: databases, Temporal, modules."""

FEWEST = 16
COME_BACK_IN_S = 5


def raise_file_limit() -> int:
    """Let the process open as many files as it may have at most; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft


def most_connections(files: int) -> int:
    """The connections that a server takes if its process may open so many files."""
    return max(files - _reserve(files), FEWEST)


def bounded_protocol(files: int) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, within so many files.

    Requests on connections beyond `most_connections` are answered 503. If these take half of the reserve,
    further ones are cut off, since connections that send nothing cannot be answered.
    """
    most, spare = most_connections(files), _reserve(files) // 2

    class Bounded(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            beyond = len(self.connections) - most
            if beyond > 0:
                self.app = _too_many
            if beyond > spare:
                transport.abort()

    return Bounded


def _reserve(files: int) -> int:
    return max(files // 8, RESERVE)


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    answer = unavailable(
        "too_many_connections", "too many connections are open; come back later", COME_BACK_IN_S
    )
    answer.headers["Connection"] = "close"
    await refuse(answer, scope, receive, send)
