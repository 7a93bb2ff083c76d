"""Which scope each operation demands: every operation of the document with a token of every set of scopes."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from api.tokens.caller import Scope
from stack.ports import free_port
from tests.tokens.in_process import Application, application
from tests.tokens.issuer import IssuerServer

TABLE = Path(__file__).resolve().parent.parent.parent / "docs" / "access.md"
ROW = re.compile(r"\| `(?P<method>[A-Z]+) (?P<path>/[^`]*)` \| (?P<scope>[a-z ]+) \|")
VALUES = {"trip_id": "none", "step": "hotel", "partner": "flight", "sequence": "1"}
HELD = [{Scope.TRAVELLER}, {Scope.OPERATOR}, {Scope.FLEET}, {Scope.OPERATOR, Scope.FLEET}]
OPEN = "nobody"


class Operation(NamedTuple):
    """An operation, and the scope that the document says it demands."""

    method: str
    path: str
    scope: str


class Caller:
    """Calls with tokens of an issuer. The record, Temporal and the partners are away."""

    def __init__(self, application: Application, issuer: IssuerServer) -> None:
        self.application, self._issuer = application, issuer

    async def status(self, operation: Operation, held: set[Scope]) -> int | None:
        """The status of the call, without a body, with a token of these scopes."""
        token = self._issuer.sign(scope=" ".join(f"trips:{scope}" for scope in held))
        call = await self.application.call(operation.method, operation.path.format(**VALUES), token)
        return call.status


@pytest.fixture(scope="module")
async def caller() -> AsyncIterator[Caller]:
    """The application, with tokens of an issuer of its own."""
    issuer = IssuerServer()
    await issuer.start()
    told = issuer.settings() | {"lab": True}
    async with application(f"postgresql://trips@127.0.0.1:{free_port()}/trips", **told) as opened:
        yield Caller(opened, issuer)
    await issuer.stop()


@pytest.fixture(scope="module")
def operations(caller: Caller) -> list[Operation]:
    """Every operation of the document."""
    return [
        Operation(method.upper(), path, _demanded(operation))
        for path, item in caller.application.app.openapi()["paths"].items()
        for method, operation in item.items()
    ]


def _demanded(operation: dict[str, Any]) -> str:
    ways = [scope for way in operation.get("security", []) for scope in way["bearer"]]
    return " or ".join(ways) or OPEN


@pytest.mark.parametrize("held", HELD, ids=lambda held: "+".join(sorted(held)))
async def test_a_token_does_what_its_scopes_allow_and_no_more(
    caller: Caller, operations: list[Operation], held: set[Scope]
) -> None:
    assert operations
    for operation in operations:
        allowed = not {OPEN, Scope.TRAVELLER, *held}.isdisjoint(operation.scope.split(" or "))
        status = await caller.status(operation, held)
        assert status != 401, operation
        assert (status != 403) is allowed, (operation, status)


def test_the_table_in_the_docs_is_the_documents(operations: list[Operation]) -> None:
    written = [Operation(**found.groupdict()) for found in ROW.finditer(TABLE.read_text())]
    assert sorted(written) == sorted(operations), json.dumps(sorted(set(operations) ^ set(written)), indent=1)
