"""Who may do what, for every operation that the running front door's OpenAPI document names."""

import stat
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import Pool
from tests.conftest import RunningSystem
from tests.system.conftest import Orders
from trials.orders import Json
from trials.traveller import Traveller

OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
"""The operations without a token; the document itself and its pages stand in no document."""

PATH_VALUES = {"step": "hotel", "partner": "flight", "sequence": "1"}
"""What stands in a path, but for the trip's id."""

BODIES: dict[tuple[str, str], Json] = {
    ("POST", "/trips/{trip_id}/steps/{step}/resolve"): {"note": "settled by telephone"},
    ("POST", "/codec/decode"): {"payloads": []},
    ("POST", "/codec/encode"): {"payloads": []},
    ("POST", "/erasures"): {"email": "nobody@example.org"},
}
"""What is sent to a trip's operations that want a body."""


class Operation(NamedTuple):
    """A method and path of the document, the scope it demands, and whether it wants a body."""

    method: str
    path: str
    scope: str | None
    wants_body: bool

    def at(self, trip_id: str) -> str:
        """The path, filled in."""
        values = PATH_VALUES | {"trip_id": trip_id}
        try:
            return self.path.format(**values)
        except KeyError as missing:
            pytest.fail(f"{self}: what stands for {missing} in its path? Add it to PATH_VALUES")

    def body(self) -> Json | None:
        """What to send so that nothing but the token can be wrong."""
        if not self.wants_body:
            return None
        if (self.method, self.path) not in BODIES:
            pytest.fail(f"{self}: what body does it want? Add one to BODIES")
        return BODIES[self.method, self.path]


def operations_of(document: Json) -> Iterator[Operation]:
    """Every operation that the document names."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            demanded = [scope for way in operation.get("security", []) for scope in way["bearer"]]
            wants_body = "requestBody" in operation
            yield Operation(method.upper(), path, demanded[0] if demanded else None, wants_body)


@pytest.fixture(scope="module")
async def document(system: RunningSystem, http: aiohttp.ClientSession) -> Json:
    """The running front door's document."""
    async with http.get(f"{system.api}/openapi.json") as answer:
        return dict(await answer.json())


@pytest.fixture(scope="module")
def operations(document: Json) -> list[Operation]:
    """Every operation that is not open."""
    return [operation for operation in operations_of(document) if operation.scope]


@pytest.fixture(scope="module")
async def pool(system: RunningSystem) -> AsyncIterator[Pool]:
    """The record, in which tokens are made."""
    async with system.way.open(size=2) as opened:
        yield opened


@pytest.fixture(scope="module")
async def trip_id(traveller: Traveller, order: Orders) -> str:
    """A trip of the tenant `default`."""
    return str((await traveller.book(order(), wait=60))["trip_id"])


class Someone:
    """Calls with a token, or with whatever stands for one."""

    def __init__(self, http: aiohttp.ClientSession, api: str, token: str | None) -> None:
        self._http, self._api = http, api
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """A call: its status and its JSON."""
        options["headers"] = self._headers | options.get("headers", {})
        async with self._http.request(method, self._api + path, **options) as answer:
            is_json = answer.content_type.endswith("json")
            return answer.status, await (answer.json(content_type=None) if is_json else answer.text())


Meet = Callable[..., Awaitable[Someone]]


@pytest.fixture(scope="module")
def meet(system: RunningSystem, http: aiohttp.ClientSession, pool: Pool) -> Meet:
    """Makes someone with a new token of a scope, in a tenant of their own if none is named."""

    async def someone(scope: str, tenant: str | None = None) -> Someone:
        caller = Caller(tenant or f"tenant-{uuid.uuid4()}", {Scope(scope)}, "a test")
        return Someone(http, system.api, await tokens.make(pool, caller))

    return someone


async def refused_tokens(system: RunningSystem, pool: Pool) -> dict[str, str | None]:
    """Everything that is no valid token."""
    operator = Caller("default", {Scope.OPERATOR}, "a test")
    revoked, expired = await tokens.make(pool, operator), await tokens.make(pool, operator)
    await tokens.revoke(pool, revoked.partition(".")[0])
    await pool.execute("update tokens set expires_at = now() where token_id = $1", expired.partition(".")[0])
    return {"none": None, "garbage": "garbage", "revoked": revoked, "expired": expired}


def test_no_operation_is_open_but_the_known_ones(document: Json) -> None:
    found = {(op.method, op.path) for op in operations_of(document) if op.scope is None}
    assert found == OPEN, "guard the new operation, or add it to OPEN if all the world may call it"


def test_the_guard_is_documented(document: Json, operations: list[Operation]) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for operation in operations:
        responses = document["paths"][operation.path][operation.method.lower()]["responses"]
        assert {"401", "403", "429", "503"} <= set(responses), operation


async def test_without_a_valid_token_every_operation_is_401(
    system: RunningSystem, http: aiohttp.ClientSession, pool: Pool, operations: list[Operation], trip_id: str
) -> None:
    for name, token in (await refused_tokens(system, pool)).items():
        caller = Someone(http, system.api, token)
        for operation in operations:
            status, answer = await caller.call(operation.method, operation.at(trip_id))
            assert (status, answer["code"]) == (401, "unauthorised"), (name, operation)


async def test_a_travellers_token_does_no_operators_work(
    meet: Meet, operations: list[Operation], trip_id: str
) -> None:
    caller = await meet(Scope.TRAVELLER, "default")
    for operation in operations:
        if operation.scope != "traveller":
            status, answer = await caller.call(operation.method, operation.at(trip_id))
            assert (status, answer["code"]) == (403, "forbidden"), operation


@pytest.mark.parametrize("scope", list(Scope))
async def test_another_tenants_trip_is_not_there(
    meet: Meet, operations: list[Operation], traveller: Traveller, trip_id: str, scope: Scope
) -> None:
    stranger = await meet(scope)
    owner = await meet(scope, "default")
    before = await traveller.trip(trip_id)
    tried = [op for op in operations if "{trip_id}" in op.path and op.scope in (Scope.TRAVELLER, scope)]
    assert tried
    for operation in tried:
        call = (operation.method, operation.at(trip_id))
        status, answer = await stranger.call(*call, json=operation.body())
        assert (status, answer["code"]) == (404, "unknown_trip"), operation
        nowhere = await stranger.call(operation.method, operation.at("none"), json=operation.body())
        assert nowhere == (status, answer), f"{operation} tells that there is such a trip"
        # Its own tenant is told something else: the stranger's 404 is not for another reason.
        status, _ = await owner.call(*call, json=operation.body())
        assert status in (200, 202, 409), operation
    assert await traveller.trip(trip_id) == before


@pytest.mark.parametrize("scope", list(Scope))
async def test_no_list_shows_another_tenants_trips(
    meet: Meet, operations: list[Operation], trip_id: str, scope: Scope
) -> None:
    stranger = await meet(scope)
    for operation in operations:
        is_list = operation.method == "GET" and "{" not in operation.path
        if is_list and operation.scope in (Scope.TRAVELLER, scope):
            status, answer = await stranger.call("GET", operation.path)
            assert status in (200, 404), operation
            assert trip_id not in str(answer), operation
    assert (await stranger.call("GET", "/trips"))[1] == {"items": [], "next_cursor": None}
    assert (await stranger.call("GET", "/trips?status=confirmed"))[1]["items"] == []


async def test_a_cursor_opens_no_other_tenants_list(
    meet: Meet, traveller: Traveller, trip_id: str, order: Orders
) -> None:
    await traveller.book(order(), wait=60)
    _, page = await traveller.call("GET", "/trips?limit=1")
    stranger = await meet(Scope.TRAVELLER)
    status, found = await stranger.call("GET", f"/trips?cursor={page['next_cursor']}")
    assert (status, found["items"]) == (200, [])


async def test_idempotency_keys_are_a_tenants_own(meet: Meet, order: Orders) -> None:
    callers = [await meet(Scope.TRAVELLER) for _ in range(2)]
    body, headers = order(), {"Idempotency-Key": "the same", "Prefer": "wait=30"}
    first, second = [await caller.call("POST", "/trips", json=body, headers=headers) for caller in callers]
    assert first[1]["trip_id"] != second[1]["trip_id"]
    for caller, (status, trip) in zip(callers, (first, second), strict=True):
        assert (status, trip["status"]) == (200, "confirmed")
        assert [one["trip_id"] for one in (await caller.call("GET", "/trips"))[1]["items"]] == [
            trip["trip_id"]
        ]


async def test_what_an_operator_decides_is_kept_under_the_tokens_name(traveller: Traveller) -> None:
    await traveller.override_breaker("points", None)
    _, page = await traveller.call("GET", "/breakers/points/events?limit=1")
    assert page["items"][0]["who"] == "operator"


async def test_the_tokens_made_at_first_start_work_and_are_for_their_owner_alone(
    system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    assert stat.S_IMODE((system.data_dir / "tokens.json").stat().st_mode) == 0o600
    assert set(system.tokens) == {"traveller", "operator"}
    for name, token in system.tokens.items():
        status, me = await Someone(http, system.api, token).call("GET", "/me")
        assert status == 200
        assert (me["tenant"], me["scope"], me["name"]) == ("default", name, name)
        assert me["scopes"] == (["traveller"] if name == "traveller" else ["operator", "fleet"])
        assert (me["lab"], me["broker"]) == (True, True)
        assert me["temporal_ui"] == f"{system.temporal_ui}/namespaces/default"
    log = (system.data_dir / "system.log").read_text()
    assert not [token for token in system.tokens.values() if token.partition(".")[2] in log]


def test_nobody_else_may_read_what_is_on_the_disk(system: RunningSystem) -> None:
    files = [path for path in system.data_dir.rglob("*") if path.name != "system.log"]  # the tests' own
    modes = {path: path.lstat().st_mode for path in files if path.is_file()}
    assert system.data_dir / "temporal" / "temporal.db" in modes
    assert [path for path, mode in modes.items() if stat.S_IMODE(mode) & 0o077] == []
