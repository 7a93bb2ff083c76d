"""The OpenAPI document, and its page: Swagger UI, from this origin alone."""

import asyncio
import html
import json
import math
from functools import partial
from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException

from serving.one_flight import OneFlight
from serving.static import File

_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_START = """\
const place = document.currentScript.dataset;
SwaggerUIBundle({
  url: place.document,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{here}/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The document itself is <a href="{document}">here</a>.</noscript>
<script src="{here}/swagger-ui-bundle.js"></script>
<script src="{here}/start.js" data-document="{document}"></script>
</body>
</html>
"""
# It needs no script and no style but those above, and reaches this origin alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _files() -> dict[str, File]:
    # The package is for FastAPI applications. Only its files are of use here.
    place = files("fastapi_offline") / "static"
    found = {name: File.of((place / name).read_bytes(), kind) for name, kind in _FILES.items()}
    return found | {"start.js": File.of(_START.encode(), "text/javascript")}


def _document(app: FastAPI, root: str) -> File:
    found = app.openapi() | ({"servers": [{"url": root}]} if root else {})
    return File.of(json.dumps(found, ensure_ascii=False).encode(), "application/json")


def docs_router() -> APIRouter:
    """Serves /openapi.json and /docs, each made or read once, when it is first asked for.

    The application must not serve the document itself: FastAPI writes it anew for whoever asks.
    """
    router = APIRouter(include_in_schema=False)
    read: dict[str, File] = {}
    made: dict[str, OneFlight[File]] = {}

    @router.get("/openapi.json")
    async def document(request: Request) -> Response:
        """The document. Its root is the setting of this process, not the caller's."""
        root: str = request.scope.get("root_path", "")
        if root not in made:
            make = partial(asyncio.to_thread, _document, request.app, root)
            made[root] = OneFlight(make, math.inf)
        return (await made[root].get()).answer(request, _POLICY)

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        """The page."""
        app: FastAPI = request.app
        root = html.escape(request.scope.get("root_path", ""))
        text = _PAGE.format(
            title=html.escape(app.title), here=f"{root}/docs", document=f"{root}/openapi.json"
        )
        return File.of(text.encode(), "text/html").answer(request, _POLICY)

    @router.get("/docs/{name}")
    async def docs_file(request: Request, name: str) -> Response:
        """A file of the page."""
        if not read:
            read.update(await asyncio.to_thread(_files))
        if name not in read:
            raise HTTPException(404)
        return read[name].answer(request, _POLICY)

    return router
