"""The console's page and files as they are served: open to all, guarded against all that is not theirs."""

import re
from collections.abc import Iterator

import aiohttp
import pytest

from api.console import FILES, PLACE
from tests.conftest import RunningSystem

TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
FORBIDDEN = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "localStorage",
    "cookie",
]
IMPORT = re.compile(r'from "\./([\w.]+)"')


def paths() -> Iterator[str]:
    yield "/console"
    for name in FILES:
        yield f"/console/{name}"


async def test_the_console_is_open_to_all_under_a_strict_policy(
    system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    for path in paths():
        async with http.get(system.api + path) as answer:
            assert answer.status == 200, path
            kind = TYPES["." + path.rpartition(".")[2]] if "." in path else "text/html"
            assert answer.content_type == kind
            directives = (
                entry.strip().split(" ", 1) for entry in answer.headers["Content-Security-Policy"].split(";")
            )
            assert dict(directives) == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_what_the_browser_has_is_not_sent_again(
    system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    url = f"{system.api}/console/main.js"
    async with http.get(url) as answer:
        etag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "no-cache"
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        async with http.get(url, headers={"If-None-Match": known}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["ETag"] == etag
            assert "Content-Security-Policy" in answer.headers
    async with http.get(url, headers={"If-None-Match": '"other"'}) as answer:
        assert (answer.status, len(await answer.read())) == (200, len(FILES["main.js"].content))
    async with http.head(url) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize(
    "name", ["missing.js", "..%2fapp.py", "%2e%2e/app.py", "../../console.py", "index.html/", ""]
)
async def test_nothing_else_is_served(system: RunningSystem, http: aiohttp.ClientSession, name: str) -> None:
    async with http.get(f"{system.api}/console/{name}") as answer:
        assert answer.status == 404
        assert (await answer.json(content_type=None))["code"] == "unknown_path"


async def test_the_console_takes_no_writes(system: RunningSystem, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{system.api}/console", json={}) as answer:
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_every_file_on_disk_is_served_and_every_import_is_there() -> None:
    assert {path.name for path in PLACE.iterdir()} == set(FILES)
    for name, file in FILES.items():
        if name.endswith(".js"):
            assert set(IMPORT.findall(file.content.decode())) <= set(FILES), name


def test_no_file_names_another_host_or_makes_markup_of_text() -> None:
    for name, file in FILES.items():
        text = file.content.decode().replace('"http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|//[\w-]+\.", text), name
        assert not [word for word in FORBIDDEN if word in text], name


def test_no_markup_carries_script_or_style_of_its_own() -> None:
    page = FILES["index.html"].content.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
