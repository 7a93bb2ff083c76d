"""The tokens' table: what is found by a token, and what is kept of it."""

import uuid
from collections.abc import Callable

import pytest

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import Pool


@pytest.fixture
def caller() -> Caller:
    """Someone of a tenant of the test's own."""
    return Caller(f"tenant-{uuid.uuid4()}", {Scope.TRAVELLER}, "mobile app")


async def test_a_token_stands_for_its_caller(pool: Pool, caller: Caller) -> None:
    token = await tokens.make(pool, caller)
    assert await tokens.find(pool, token) == caller


async def test_the_table_holds_no_secret(pool: Pool, caller: Caller) -> None:
    token = await tokens.make(pool, caller)
    token_id, secret = token.split(".")
    row = await pool.fetchval("select tokens::text from tokens where token_id = $1", token_id)
    assert secret not in row
    assert secret.encode().hex() not in row
    assert len(secret) == 43


async def test_another_secret_is_nobodys(pool: Pool, caller: Caller) -> None:
    token_id, _ = (await tokens.make(pool, caller)).split(".")
    _, secret = (await tokens.make(pool, caller)).split(".")
    assert await tokens.find(pool, f"{token_id}.{secret}") is None
    assert await tokens.find(pool, tokens.new_token()) is None


@pytest.mark.parametrize(
    "change", [str.upper, lambda token: token + "=", lambda token: token[:-1], lambda _: ""]
)
async def test_what_is_no_token_is_nobodys(pool: Pool, caller: Caller, change: Callable[[str], str]) -> None:
    assert await tokens.find(pool, change(await tokens.make(pool, caller))) is None


async def test_a_token_past_its_time_is_nobodys(pool: Pool, caller: Caller) -> None:
    token = await tokens.make(pool, caller, days=1)
    assert await tokens.find(pool, token) == caller
    await pool.execute("update tokens set expires_at = now() where token_id = $1", token.split(".")[0])
    assert await tokens.find(pool, token) is None


async def test_a_revoked_token_is_nobodys_and_stays_so(pool: Pool, caller: Caller) -> None:
    token = await tokens.make(pool, caller)
    token_id = token.split(".")[0]
    assert await tokens.revoke(pool, token_id)
    (first,) = await tokens.list_tokens(pool, caller.tenant)
    assert await tokens.find(pool, token) is None
    assert await tokens.revoke(pool, token_id)
    await tokens.register(pool, token, caller)
    assert await tokens.find(pool, token) is None
    assert await tokens.list_tokens(pool, caller.tenant) == [first]
    assert first.revoked_at is not None


async def test_an_unknown_token_cannot_be_revoked(pool: Pool) -> None:
    assert not await tokens.revoke(pool, "0" * 16)


async def test_a_registered_token_is_registered_once(pool: Pool, caller: Caller) -> None:
    token = tokens.new_token()
    for _ in range(2):
        await tokens.register(pool, token, caller)
    assert await tokens.find(pool, token) == caller
    assert len(await tokens.list_tokens(pool, caller.tenant)) == 1


async def test_tokens_are_listed_newest_first(pool: Pool, caller: Caller) -> None:
    made = [(await tokens.make(pool, caller, days)).split(".")[0] for days in (None, 90)]
    listed = await tokens.list_tokens(pool, caller.tenant)
    assert [token.token_id for token in listed] == made[::-1]
    assert [token.expires_at is None for token in listed] == [False, True]
    assert {token.token_id for token in await tokens.list_tokens(pool)} >= set(made)
