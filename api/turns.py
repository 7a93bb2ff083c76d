"""Calls without a valid token wait their turn, so that they take little of the front door."""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.authentication import address_of
from api.shares import Shares
from serving.limits import refuse
from serving.problems import problem

PER_S = 50
AT_ONCE = 50
"""So many turns a second there are for all together, and so many that nobody took are kept."""

MOST_WAITING = 4000
"""Calls that wait; those of one address are at most half of what others leave."""

LONGEST_S = 10.0
"""A call that has waited so long is answered."""

COME_BACK_IN_S = 5

MOST_KNOWN = 10_000
"""Addresses of which it is remembered when they had their last turn."""


class TooManyWait(Exception):
    """So many calls from this address wait that no other one may."""


class Turns:
    """The next turn is that of the address whose last turn was longest ago.

    So a probe that comes once in a while passes by a flood, whether that is from one address or from many.
    """

    def __init__(
        self, per_s: float = PER_S, at_once: float = AT_ONCE, most_waiting: int = MOST_WAITING
    ) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._left = at_once
        self._counted_at = 0.0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._shares = Shares(most_waiting)
        self._last: OrderedDict[str, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, address: str) -> None:
        """Wait for the turn of the address, at most LONGEST_S. Raises TooManyWait."""
        if not self._waiting and self._is_one_left():
            self._count(address)
            return
        if not self._shares.may_take(address):
            raise TooManyWait
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        if self._timer is None:
            self._wait()
        with self._shares.held(address), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_S):
                await turn

    def give_back(self) -> None:
        """Count one turn less."""
        self._left += 1

    def _is_one_left(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._left = min(self._left + (now - self._counted_at) * self._per_s, self._at_once)
        self._counted_at = now
        return self._left >= 1

    def _count(self, address: str) -> None:
        self._left -= 1
        self._last[address] = self._counted_at
        self._last.move_to_end(address)
        if len(self._last) > MOST_KNOWN:
            self._last.popitem(last=False)

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(1 / self._per_s, self._give)

    def _give(self) -> None:
        self._timer = None
        while self._waiting and self._is_one_left():
            address = min(self._waiting, key=lambda one: self._last.get(one, 0.0))
            turns = self._waiting[address]
            turn = turns.popleft()
            if not turns:
                del self._waiting[address]
            if not turn.done():
                turn.set_result(None)
                self._count(address)
        if self._waiting:
            self._wait()


def in_turn(app: ASGIApp, turns: Turns, is_known: Callable[[Scope], bool]) -> ASGIApp:
    """`app`, before which calls wait their turn if it is not known that their token is valid.

    A turn of one whose token then is found to be valid counts for nothing.
    """

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_known(scope):
            await app(scope, receive, send)
            return
        address = address_of(scope)
        try:
            await turns.take(address)
        except TooManyWait:
            await refuse(_refusal(), scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and "caller" in scope["state"]:
                turns.give_back()
            await send(message)

        await app(scope, receive, send_on)

    return gate


def _refusal() -> Response:
    detail = "too many calls from this address have no valid token; wait a little, or send one"
    return problem(429, "rate_limited", detail, headers={"Retry-After": str(COME_BACK_IN_S)})
