"""`python -m api.tokens`, as it is typed."""

import asyncio
import json
import uuid
from pathlib import Path

import pytest

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import Pool
from stack.ports import free_port
from tests.tokens.processes import access


async def made(database_url: str, *words: str) -> str:
    """The token that `make` prints."""
    ended = await asyncio.to_thread(access, database_url, "make", *words)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.removesuffix("\n")


async def test_a_token_that_is_made_works_until_it_is_revoked(database_url: str, pool: Pool) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    token = await made(
        database_url, "--tenant", tenant, "--scope", "operator", "--name", "Ada L", "--days", "90"
    )
    assert await tokens.find(pool, token) == Caller(tenant, {Scope.OPERATOR}, "Ada L")
    token_id, secret = token.split(".")

    listed = await asyncio.to_thread(access, database_url, "list", "--tenant", tenant)
    (line,) = listed.stdout.splitlines()
    assert line.startswith(f"{token_id}  {tenant}  operator  Ada L  made ")
    assert "expires" in line and "revoked" not in line
    assert secret not in listed.stdout

    assert (await asyncio.to_thread(access, database_url, "revoke", token_id)).returncode == 0
    assert await tokens.find(pool, token) is None
    listed = await asyncio.to_thread(access, database_url, "list")
    assert any(token_id in line and "revoked" in line for line in listed.stdout.splitlines())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "required"),
        (["make"], "--tenant"),
        (["make", "--tenant", "", "--scope", "traveller", "--name", "x"], "--tenant"),
        (["make", "--tenant", "a\tb", "--scope", "traveller", "--name", "x"], "control characters"),
        (["make", "--tenant", "a", "--scope", "king", "--name", "x"], "--scope"),
        (["make", "--tenant", "a", "--scope", "traveller", "--name", "x", "--days", "0"], "--days"),
        (["make", "--tenant", "a", "--scope", "traveller", "--name", "x", "--days", "soon"], "--days"),
        (["revoke", "0000000000000000"], "no token has this id"),
        (["register", "/nowhere/tokens.json"], "/nowhere/tokens.json: No such file"),
    ],
)
async def test_bad_input_is_named(database_url: str, words: list[str], named: str) -> None:
    ended = await asyncio.to_thread(access, database_url, *words)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_no_database_is_said_so() -> None:
    nobody = f"postgresql://trips@127.0.0.1:{free_port()}/trips"
    ended = await asyncio.to_thread(access, nobody, "list")
    assert ended.returncode == 1
    assert "PostgreSQL" in ended.stderr and "Traceback" not in ended.stderr


async def test_a_file_is_registered_however_often(database_url: str, pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    both = {name: tokens.new_token() for name in tokens.FIRST_TOKENS}
    file.write_text(json.dumps(both))
    for _ in range(2):
        ended = await asyncio.to_thread(access, database_url, "register", str(file))
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    for name, token in both.items():
        assert await tokens.find(pool, token) == Caller("default", tokens.FIRST_TOKENS[name], name)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"traveller": 7}', '{"king": "secret-one"}', '{"traveller": "secret-one"}'],
    ids=range(5),
)
async def test_a_file_of_another_form_is_refused_and_not_shown(
    database_url: str, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(text)
    ended = await asyncio.to_thread(access, database_url, "register", str(file))
    assert ended.returncode == 2
    assert str(file) in ended.stderr
    assert "secret-one" not in ended.stderr and "Traceback" not in ended.stderr
