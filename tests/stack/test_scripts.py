"""What compose mounts and runs beside the image: SQL on a PostgreSQL, the namespace script on a Temporal."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from stack import postgres
from stack.passwords import Passwords
from temporal.names import NAMES
from tests.conftest import RunningSystem
from tests.guard.own_postgres import BIN, OwnPostgres, own_postgres
from tests.patience import PATIENCE_S
from tests.stack.composition import ROOT, environment, services
from tests.stack.processes import make_namespace

SCRIPTS = sorted([*ROOT.glob("stack/deploy/**/*.sh"), ROOT / ".ci" / "run", ROOT / "tests" / "run"])
TIMEOUT_S = 100


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as started:
        yield started


def _make_roles(server: OwnPostgres, passwords: Mapping[str, str] | None = None) -> None:
    command = services()["postgres-roles"]["command"]
    assert command[0] == "psql"
    words = [word.replace("/deploy/", f"{ROOT}/stack/deploy/postgres/") for word in command[1:]]
    told = environment("postgres-roles", passwords) | {"PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
    subprocess.run([BIN / "psql", *words], check=True, env=os.environ | told, timeout=TIMEOUT_S)


async def _catalogue(server: OwnPostgres, database: str) -> list[tuple[object, ...]]:
    url = f"postgresql://postgres@127.0.0.1:{server.port}/{database}"
    connection = await asyncpg.connect(url, timeout=PATIENCE_S)
    try:
        rows = await connection.fetch("""
            select 'role', rolname::text, concat(rolcanlogin, rolsuper, rolcreatedb) from pg_roles
            where rolname !~ '^pg_'
            union all select 'database', datname, datdba::regrole::text from pg_database
            union all select 'schema', nspname, nspowner::regrole::text from pg_namespace
            where nspname !~ '^pg_' order by 1, 2""")
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


async def test_roles_and_schemas_are_those_of_the_embedded_system(server: OwnPostgres) -> None:
    _make_roles(server)
    made = await _catalogue(server, "trips")
    assert ("schema", "public", "trips") in made
    assert ("schema", "payment", "payment") in made
    assert ("database", "temporal_visibility", "temporal") in made
    await postgres.make_roles(server.port, Passwords("for-tests"))
    assert await _catalogue(server, "trips") == made


async def test_roles_can_be_made_again_with_other_passwords(server: OwnPostgres) -> None:
    _make_roles(server)
    made = await _catalogue(server, "trips")
    before = await _password(server, "tour")
    _make_roles(server, {"TOUR_DB_PASSWORD": "another"})
    assert await _catalogue(server, "trips") == made
    assert await _password(server, "tour") != before


async def _password(server: OwnPostgres, role: str) -> object:
    connection = await asyncpg.connect(server.database_url, timeout=PATIENCE_S)
    try:
        return await connection.fetchval("select rolpassword from pg_authid where rolname = $1", role)
    finally:
        await connection.close()


def test_roles_are_not_made_without_a_password(server: OwnPostgres) -> None:
    told = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres"}
    command = [str(BIN / "psql"), "--no-psqlrc", "--quiet", f"--file={ROOT}/stack/deploy/postgres/roles.sql"]
    made = subprocess.run(command, check=False, env=os.environ | told, timeout=TIMEOUT_S, capture_output=True)
    assert made.returncode != 0


def test_namespace_is_made_with_its_search_attributes(system: RunningSystem) -> None:
    namespace = f"deploy-{uuid4().hex[:8]}"
    for _ in range(2):
        assert "ready" in make_namespace(system.temporal, namespace)
    command = [str(Path(sys.executable).parent / "temporal"), "operator", "search-attribute", "list"]
    command += ["--address", system.temporal, "--namespace", namespace]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S).stdout
    kinds = dict(line.split()[:2] for line in listed.splitlines() if line.strip())
    assert {kinds.get(name) for name in NAMES} == {"Keyword"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(ROOT)))
def test_script_parses_and_stops_at_the_first_failure(script: Path) -> None:
    text = script.read_text()
    shell = text.splitlines()[0].split()[0 if "env" not in text.splitlines()[0] else -1].split("/")[-1]
    assert shell in ("sh", "bash")
    subprocess.run([shell, "-n", script], check=True, timeout=TIMEOUT_S)
    assert "set -eu" in text
    assert os.access(script, os.X_OK)


def test_mounted_scripts_are_those_that_compose_starts() -> None:
    for name, service in services().items():
        words = [*service.get("entrypoint", []), *service.get("command", [])]
        for path in (word for text in words for word in text.split() if "/deploy/" in word):
            file = path.split("/deploy/")[1]
            mounts = [line.split(":")[0] for line in service["volumes"] if line.endswith(":/deploy:ro")]
            assert (ROOT / mounts[0] / file).is_file(), f"{name} starts {path}"
