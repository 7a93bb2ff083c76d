"""What is remembered of verified tokens, and for how long."""

import pytest

from api.tokens import verify
from api.tokens.caller import Caller, Scope

CALLER = Caller("acme", Scope.TRAVELLER, "mobile app")


class Book:
    """Whom each token stands for, how often that was asked, and the time."""

    def __init__(self) -> None:
        self.callers = {"token": CALLER}
        self.asked: list[str] = []
        self.now = 1000.0

    async def find(self, token: str) -> Caller | None:
        self.asked.append(token)
        return self.callers.get(token)

    def clock(self) -> float:
        return self.now


@pytest.fixture
def book() -> Book:
    """A book with one token."""
    return Book()


async def test_a_token_is_asked_for_once_a_second(book: Book) -> None:
    remembered = verify.remembered(book.find, book.clock)
    for _ in range(3):
        assert await remembered("token") == CALLER
    book.now += 0.99
    assert await remembered("token") == CALLER
    assert book.asked == ["token"]
    book.now += 0.01
    assert await remembered("token") == CALLER
    assert book.asked == ["token"] * 2


async def test_a_revoked_token_is_refused_within_a_second(book: Book) -> None:
    remembered = verify.remembered(book.find, book.clock)
    await remembered("token")
    del book.callers["token"]
    book.now += 1.0
    assert await remembered("token") is None


async def test_the_second_begins_before_the_answer(book: Book) -> None:
    async def slow(token: str) -> Caller | None:
        book.now += 0.9
        return await book.find(token)

    remembered = verify.remembered(slow, book.clock)
    await remembered("token")
    book.now += 0.1
    await remembered("token")
    assert len(book.asked) == 2


async def test_a_refusal_is_not_remembered(book: Book) -> None:
    remembered = verify.remembered(book.find, book.clock)
    assert await remembered("other") is None
    book.callers["other"] = CALLER
    assert await remembered("other") == CALLER


async def test_the_last_ones_are_remembered(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_REMEMBERED", 2)
    book.callers = dict.fromkeys("abc", CALLER)
    remembered = verify.remembered(book.find, book.clock)
    for token in "abcbca":
        await remembered(token)
    assert book.asked == ["a", "b", "c", "a"]
