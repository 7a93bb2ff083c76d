"""What is remembered of tokens, for how long, and how many wrong ones are looked up."""

import asyncio

import pytest

from api.tokens import verify
from api.tokens.caller import Caller, Scope
from api.tokens.rates import Rates
from api.tokens.verify import TooManyRefusals, Verifier
from record.pool import RecordAway

CALLER = Caller("acme", {Scope.TRAVELLER}, "mobile app")
HERE = "192.0.2.1"


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


def verifier(book: Book, per_minute: int = 60) -> Verifier:
    """A verifier that asks the book, by the book's clock."""
    return Verifier(book.find, Rates(per_minute, lambda: int(book.now * 1e9)), book.clock)


async def test_a_token_is_asked_for_once_a_second(book: Book) -> None:
    tokens = verifier(book)
    for _ in range(3):
        assert await tokens.find("token", HERE) == CALLER
    book.now += 0.99
    assert await tokens.find("token", HERE) == CALLER
    assert book.asked == ["token"]
    book.now += 0.01
    assert await tokens.find("token", HERE) == CALLER
    assert book.asked == ["token"] * 2


async def test_a_revoked_token_is_refused_within_a_second(book: Book) -> None:
    tokens = verifier(book)
    await tokens.find("token", HERE)
    del book.callers["token"]
    book.now += 1.0
    assert await tokens.find("token", HERE) is None


async def test_the_second_begins_before_the_answer(book: Book) -> None:
    async def slow(token: str) -> Caller | None:
        book.now += 0.9
        return await book.find(token)

    tokens = Verifier(slow, Rates(60), book.clock)
    await tokens.find("token", HERE)
    book.now += 0.1
    await tokens.find("token", HERE)
    assert len(book.asked) == 2


async def test_a_refusal_is_remembered_for_a_second(book: Book) -> None:
    tokens = verifier(book)
    for _ in range(500):
        assert await tokens.find("other", HERE) is None
    assert book.asked == ["other"]
    book.callers["other"] = CALLER
    book.now += 1.0
    assert await tokens.find("other", HERE) == CALLER


async def test_wrong_tokens_of_an_address_are_looked_up_so_often_and_no_more(book: Book) -> None:
    tokens = verifier(book, per_minute=60)
    answers = await asyncio.gather(
        *(tokens.find(f"wrong-{number}", HERE) for number in range(500)), return_exceptions=True
    )
    assert answers[:60] == [None] * 60
    assert all(isinstance(answer, TooManyRefusals) for answer in answers[60:])
    assert len(book.asked) == 60
    # Another address is not held up by that one.
    assert await tokens.find("token", "192.0.2.2") == CALLER
    book.now += 1.0
    assert await tokens.find("wrong-500", HERE) is None
    with pytest.raises(TooManyRefusals) as refused:
        await tokens.find("wrong-501", HERE)
    assert 0 < refused.value.wait_s <= 1


async def test_who_was_accepted_before_goes_on_beside_a_flood(book: Book) -> None:
    tokens = verifier(book, per_minute=1)
    assert await tokens.find("token", HERE) == CALLER
    assert await tokens.find("wrong-1", HERE) is None
    with pytest.raises(TooManyRefusals):
        await tokens.find("wrong-2", HERE)
    book.now += 5.0
    assert await tokens.find("token", HERE) == CALLER
    assert book.asked == ["token", "wrong-1", "token"]


async def test_what_is_accepted_or_not_known_counts_as_no_refusal(book: Book) -> None:
    tokens = verifier(book, per_minute=1)
    book.callers |= {f"token-{number}": CALLER for number in range(5)}
    for token in book.callers:
        assert await tokens.find(token, HERE) == CALLER

    async def away(_token: str) -> Caller | None:
        raise RecordAway

    unsure = Verifier(away, Rates(1), book.clock)
    for token in "abc":
        with pytest.raises(RecordAway):
            await unsure.find(token, HERE)


async def test_the_last_ones_are_remembered(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_REMEMBERED", 2)
    book.callers = dict.fromkeys("abc", CALLER)
    tokens = verifier(book)
    for token in "abcbca":
        await tokens.find(token, HERE)
    assert book.asked == ["a", "b", "c", "a"]


async def test_wrong_tokens_push_out_no_good_ones(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_REMEMBERED", 2)
    tokens = verifier(book)
    for token in ("token", "wrong-1", "wrong-2", "wrong-3", "token", "wrong-3", "wrong-1"):
        await tokens.find(token, HERE)
    assert book.asked == ["token", "wrong-1", "wrong-2", "wrong-3", "wrong-1"]
