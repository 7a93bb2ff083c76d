"""The console: one page and its files, open to all. The page reads its data from the API alone."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from serving.static import File

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


# The files are few and small. Reading them once keeps the event loop from waiting for a disk.
FILES = {
    path.name: File.of(path.read_bytes(), _MEDIA_TYPES[path.suffix])
    for path in PLACE.iterdir()
    if path.suffix in _MEDIA_TYPES
}

router = APIRouter(prefix="/console", include_in_schema=False)


@router.get("")
async def page(request: Request) -> Response:
    """The console's page."""
    return _served(request, PAGE)


@router.get("/{name}")
async def file(request: Request, name: str) -> Response:
    """A file of the page; 304 if the caller has it already."""
    return _served(request, name)


def _served(request: Request, name: str) -> Response:
    found = FILES.get(name)
    if found is None:
        raise HTTPException(404)
    return found.answer(request, _POLICY)
