"""Fault injection below the framework, and the list of the calls received (only with TRIPS_LAB=1)."""

import asyncio
import random
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.faults import Faults, FaultVerb
from serving.limits import CUT
from serving.paging import CursorError, Page, page, read_cursor
from serving.problems import documented, problem
from serving.queries import Cursor
from serving.routes import StrictRoute

MAX_CALLS = 100_000
MAX_KEY = 200

DROPPED = "dropped"
"""The outcome of a call that gets no reply."""

_RESERVATION = re.compile(r"/reservations/([^/]+)(/confirm)?", re.DOTALL)

_VERBS = {
    ("PUT", False): FaultVerb.PUT,
    ("POST", True): FaultVerb.CONFIRM,
    ("DELETE", False): FaultVerb.DELETE,
}

NO_FAULTS = Faults()


class Lot(Enum):
    """What a call meets: no effect and no reply, an error, an effect without a reply, or no fault."""

    CUT = auto()
    ERROR = auto()
    DROPPED = auto()
    NONE = auto()


class Call(BaseModel):
    """A call received. `outcome`: null until answered, then the status sent, or `dropped` where cut."""

    at: datetime
    verb: FaultVerb
    key: str
    outcome: str | None


@dataclass(slots=True)
class Entry:
    """A call as it is kept, which must be small: `at` in seconds since 1970, and its place in the order."""

    number: int
    at: float
    verb: FaultVerb
    key: str
    outcome: str | None = None

    def shown(self) -> Call:
        """The call as it is listed."""
        return Call(
            at=datetime.fromtimestamp(self.at, UTC), verb=self.verb, key=self.key, outcome=self.outcome
        )


@dataclass
class Lab:
    """The faults in force, and the last MAX_CALLS calls."""

    faults: Faults = NO_FAULTS
    calls: deque[Entry] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    left: int | None = None
    received: int = 0

    def put(self, faults: Faults) -> None:
        """Replace the faults in force."""
        self.faults = faults
        self.left = faults.count

    def hit(self, verb: FaultVerb | None) -> Faults:
        """The faults that the next call meets, whose count it uses up."""
        if verb not in self.faults.verbs:
            return self.faults if self.faults.down else NO_FAULTS
        faults = self.faults
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.put(NO_FAULTS)
        return faults

    def record(self, verb: FaultVerb, key: str) -> Entry:
        """Write down a call that has arrived."""
        self.received += 1
        call = Entry(number=self.received, at=time.time(), verb=verb, key=key[:MAX_KEY])
        self.calls.append(call)
        return call


def _classified(scope: Scope) -> tuple[FaultVerb, str] | None:
    match = _RESERVATION.fullmatch(scope["path"])
    if match is None:
        return None
    verb = _VERBS.get((scope["method"], match[2] is not None))
    return None if verb is None else (verb, match[1])


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["extensions"][CUT]()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unsent(_message: Message) -> None:
    return


def _noting(call: Entry | None, send: Send) -> Send:
    async def note(message: Message) -> None:
        if call is not None and message["type"] == "http.response.start":
            call.outcome = str(message["status"])
        await send(message)

    return note


async def _fail(faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {} if faults.retry_after_s is None else {"Retry-After": str(faults.retry_after_s)}
    answer = problem(faults.status, "lab_fault", "this error was asked for at /lab/faults", headers=headers)
    await answer(scope, receive, send)


async def drawn(faults: Faults) -> Lot:
    """What a call meets under these faults, once their latency is over."""
    if faults.down:
        return Lot.CUT
    await asyncio.sleep(faults.latency_ms / 1000)
    if random.random() < faults.error_rate:
        return Lot.ERROR
    return Lot.DROPPED if random.random() < faults.drop_reply_rate else Lot.NONE


def with_faults(app: ASGIApp, lab: Lab) -> ASGIApp:
    """`app` under the faults of `lab`."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/lab/"):
            await app(scope, receive, send)
            return
        classified = _classified(scope)
        call = lab.record(*classified) if classified else None
        faults = lab.hit(call.verb if call else None)
        lot = await drawn(faults)
        if lot is Lot.ERROR:
            await _fail(faults, scope, receive, _noting(call, send))
        elif lot is not Lot.CUT:
            await app(scope, receive, _unsent if lot is Lot.DROPPED else _noting(call, send))
        if lot in (Lot.CUT, Lot.DROPPED):
            if call is not None:
                call.outcome = DROPPED
            await _cut(scope, receive)

    return faulty


def _calls_after(lab: Lab, key: str | None, number: int) -> Iterator[Entry]:
    return (call for call in lab.calls if call.number > number and (key is None or call.key == key))


def add_lab(app: FastAPI, lab: Lab) -> None:
    """Serve `/lab` on `app`."""
    router = APIRouter(route_class=StrictRoute, prefix="/lab", tags=["lab"])

    @router.put("/faults", responses=documented(401, 413, 415, 422, broken_json=422))
    async def put_faults(faults: Faults) -> Faults:
        """Replace the faults in force."""
        lab.put(faults)
        return lab.faults

    @router.get("/faults", responses=documented(401))
    async def get_faults() -> Faults:
        """The faults in force, with what is left of their count."""
        return lab.faults.model_copy(update={"count": lab.left})

    @router.delete("/faults", responses=documented(401))
    async def delete_faults() -> Faults:
        """End all faults."""
        lab.put(NO_FAULTS)
        return lab.faults

    @router.get("/calls", responses=documented(401, 422))
    async def calls(
        key: Annotated[str | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_CALLS)] = 10_000,
        cursor: Cursor = None,
    ) -> Page[Call]:
        """The calls received of `key`, or of all keys, oldest first."""
        position = read_cursor(cursor, parts=1)
        if position and not position[0].isdecimal():
            raise CursorError
        number = int(position[0]) if position else 0
        found = list(islice(_calls_after(lab, key, number), limit + 1))
        listed = page(found, limit, lambda call: [str(call.number)])
        return Page(items=[call.shown() for call in listed.items], next_cursor=listed.next_cursor)

    app.include_router(router)
