"""The console: one page and its files, open to all. The page reads its data from the API alone."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

PLACE = Path(__file__).parent / "console"
PAGE = "index.html"

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-cache",  # browsers keep the file and ask with its ETag whether it changed
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class File:
    """A file of the console, ready to be served."""

    content: bytes
    media_type: str
    etag: str


def _read(path: Path) -> File:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return File(content, _MEDIA_TYPES[path.suffix], f'"{digest}"')


# The files are few and small. Reading them once keeps the event loop from waiting for a disk.
FILES = {path.name: _read(path) for path in PLACE.iterdir() if path.suffix in _MEDIA_TYPES}

router = APIRouter(prefix="/console", include_in_schema=False)


@router.api_route("", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The console's page."""
    return _served(request, PAGE)


@router.api_route("/{name}", methods=["GET", "HEAD"])
async def file(request: Request, name: str) -> Response:
    """A file of the page; 304 if the caller has it already."""
    return _served(request, name)


def _served(request: Request, name: str) -> Response:
    found = FILES.get(name)
    if found is None:
        raise HTTPException(404)
    headers = _HEADERS | {"ETag": found.etag}
    if _knows(request, found.etag):
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)


def _knows(request: Request, etag: str) -> bool:
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")}
    return etag in known or "*" in known
