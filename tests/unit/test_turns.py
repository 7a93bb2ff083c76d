"""Calls without a valid token wait their turn."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from api import turns
from api.turns import TooManyWait, Turns, in_turn
from tests.patience import PATIENCE_S

FLOOD = "192.0.2.1"


async def taken(all_turns: Turns, order: list[str], address: str) -> None:
    await all_turns.take(address)
    order.append(address)


async def test_an_address_that_comes_once_in_a_while_passes_by_a_flood() -> None:
    order: list[str] = []
    few = Turns(per_s=200, at_once=1)
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(taken(few, order, FLOOD))
        await asyncio.sleep(0)
        for number in range(3):
            group.create_task(taken(few, order, f"198.51.100.{number}"))
    assert order.count(FLOOD) == 20
    assert order[0] == FLOOD
    assert FLOOD not in order[1:4], "each of the others had its turn before the flood's second"


async def test_turns_are_kept_while_nobody_takes_them() -> None:
    saved = Turns(per_s=1e-9, at_once=3)
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            await saved.take(FLOOD)
    waiting = asyncio.create_task(saved.take(FLOOD))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    waiting.cancel()


async def test_no_call_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_S", 0.05)
    stuck = Turns(per_s=1e-9, at_once=0)
    async with asyncio.timeout(PATIENCE_S):
        await stuck.take(FLOOD)


async def test_an_address_with_many_calls_that_wait_leaves_room_for_others() -> None:
    narrow = Turns(per_s=1e-9, at_once=0, most_waiting=4)
    waiting = [asyncio.create_task(narrow.take(FLOOD)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWait):
        await narrow.take(FLOOD)
    waiting.append(asyncio.create_task(narrow.take("198.51.100.1")))
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    waiting = [asyncio.create_task(narrow.take(FLOOD))]
    await asyncio.sleep(0)
    assert not waiting[0].done(), "those who left have given their places back"
    waiting[0].cancel()


class Calls:
    """Calls to an application that takes the token `valid`. `sent` has their statuses."""

    def __init__(self, all_turns: Turns) -> None:
        self.sent: list[int] = []
        self._app = in_turn(self._answer, all_turns, lambda scope: scope["path"] == "known")

    async def make(self, path: str) -> None:
        scope = {"type": "http", "method": "GET", "path": path, "client": (FLOOD, 1), "headers": []}
        await self._app(scope | {"state": {}}, self._receive, self._send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in ("known", "new"):
            scope["state"]["caller"] = "somebody"
        await PlainTextResponse("yes")(scope, receive, send)

    async def _receive(self) -> Message:
        return {"type": "http.request"}

    async def _send(self, message: Message) -> None:
        if "status" in message:
            self.sent.append(message["status"])


async def test_a_call_whose_token_is_known_waits_for_nothing() -> None:
    calls = Calls(Turns(per_s=1e-9, at_once=0, most_waiting=0))
    await calls.make("known")
    await calls.make("none")
    assert calls.sent == [200, 429]


async def test_a_new_token_that_is_valid_takes_no_turn_from_others() -> None:
    calls = Calls(Turns(per_s=1e-9, at_once=2, most_waiting=0))
    for path in ("new", "new", "new", "none", "new", "none", "none"):
        await calls.make(path)
    assert calls.sent == [200, 200, 200, 200, 200, 200, 429]
