"""The front door behind a reverse proxy: under a path of the proxy's, and with what trusted proxies tell."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from fastapi import FastAPI, Request
from pydantic import ValidationError

from api.links import linked, trip_path
from config.settings import Settings
from serving.connections import Connections, Entry
from serving.docs import docs_router
from serving.proxy import behind_proxy
from tests.serving import served

app = FastAPI(title="<Trips>", openapi_url=None, docs_url=None, redoc_url=None)
app.include_router(docs_router())

TOLD = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/other"}


@app.get("/seen")
async def seen(request: Request) -> dict[str, str]:
    assert request.client is not None
    return {"client": request.client.host, "scheme": request.url.scheme, "root": request.scope["root_path"]}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize("proxies", [(), ("203.0.113.0/24", "2001:db8::/32")])
async def test_strangers_are_not_believed(http: aiohttp.ClientSession, proxies: tuple[str, ...]) -> None:
    async with (
        served(behind_proxy(app, "", proxies)) as port,
        http.get(f"http://127.0.0.1:{port}/seen", headers=TOLD) as answer,
    ):
        assert await answer.json() == {"client": "127.0.0.1", "scheme": "http", "root": ""}


async def test_a_trusted_proxy_tells_of_the_caller(http: aiohttp.ClientSession) -> None:
    async with (
        served(behind_proxy(app, "", ["127.0.0.0/8"])) as port,
        http.get(f"http://127.0.0.1:{port}/seen", headers=TOLD) as answer,
    ):
        assert await answer.json() == {"client": "203.0.113.7", "scheme": "https", "root": ""}


@pytest.mark.parametrize("sent", ["", "/travel"], ids=["taken off", "left on"])
async def test_all_addresses_are_under_the_path(http: aiohttp.ClientSession, sent: str) -> None:
    async with served(behind_proxy(app, "/travel", ())) as port:
        url = f"http://127.0.0.1:{port}{sent}"
        async with http.get(f"{url}/seen") as answer:
            assert (await answer.json())["root"] == "/travel"
        async with http.get(f"{url}/openapi.json") as answer:
            assert (await answer.json())["servers"] == [{"url": "/travel"}]
        async with http.get(f"{url}/docs") as answer:
            page = await answer.text()
            assert answer.headers["Content-Security-Policy"].startswith(
                "default-src 'none'; script-src 'self'"
            )
            assert "'unsafe" not in answer.headers["Content-Security-Policy"]
        assert 'src="/travel/docs/swagger-ui-bundle.js"' in page
        assert 'data-document="/travel/openapi.json"' in page
        assert "&lt;Trips&gt;" in page and "http" not in page
        async with http.get(f"{url}/docs/swagger-ui-bundle.js") as answer:
            assert (answer.status, answer.content_type) == (200, "text/javascript")
            known = {"If-None-Match": answer.headers["ETag"]}
        async with http.get(f"{url}/docs/swagger-ui-bundle.js", headers=known) as answer:
            assert answer.status == 304
        async with http.get(f"{url}/docs/core.py") as answer:
            assert answer.status == 404


async def test_a_path_that_only_begins_alike_is_another(http: aiohttp.ClientSession) -> None:
    async with (
        served(behind_proxy(app, "/see", ())) as port,
        http.get(f"http://127.0.0.1:{port}/seen") as answer,
    ):
        assert answer.status == 200


def test_a_trips_links_are_under_the_path_of_today() -> None:
    trip = {"trip_id": "a", "links": {"self": "/trips/a", "events": "/trips/a/events", "temporal_ui": "x"}}
    assert linked(trip, "") == trip
    assert linked(trip, "/travel")["links"] == {
        "self": trip_path("/travel", "a"),
        "events": "/travel/trips/a/events",
        "temporal_ui": "x",
    }


@pytest.mark.parametrize(
    "wrong",
    [{"root_path": "travel"}, {"root_path": "/travel/"}, {"root_path": '/"'}, {"trusted_proxies": "here"}],
)
def test_a_wrong_setting_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"TRIPS_TRUSTED_PROXIES|root_path"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_a_proxys_connections_count_in_all_alone_and_a_network_counts_as_one_address() -> None:
    taken = Connections(most=4, most_of_an_address=1, spare=1, proxies=("10.0.0.0/8",))
    assert [taken.enter(address) for address in ("10.0.0.1", "10.0.0.1")] == [Entry.OPEN] * 2
    entered = [taken.enter(address) for address in ("2001:db8::1", "2001:db8::2")]
    assert entered == [Entry.OPEN, Entry.BUSY]
    assert [taken.enter("192.0.2.1"), taken.enter("192.0.2.2")] == [Entry.BUSY, Entry.CUT]
    for address in ("10.0.0.1", "10.0.0.1", "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"):
        taken.leave(address)
    assert (taken.open, dict(taken.by_network)) == (0, {})
