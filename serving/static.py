"""Files that a browser is sent, and keeps for as long as they do not change."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from fastapi import Request, Response

_HEADERS = {
    "Cache-Control": "no-cache",  # browsers keep the file and ask with its ETag whether it changed
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class File:
    """A file, ready to be served."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Self:
        """A file of this content."""
        return cls(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def answer(self, request: Request, policy: str) -> Response:
        """The file under a content security policy; 304 if the caller has it already."""
        headers: Mapping[str, str] = _HEADERS | {"Content-Security-Policy": policy, "ETag": self.etag}
        if _knows(request, self.etag):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def _knows(request: Request, etag: str) -> bool:
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")}
    return etag in known or "*" in known
