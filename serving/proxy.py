"""An application behind a reverse proxy: whom the proxy speaks for, and under which path it serves."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def behind_proxy(app: ASGIApp, root_path: str, proxies: Sequence[str]) -> ASGIApp:
    """`app`, served under `root_path`.

    `X-Forwarded-For` and `X-Forwarded-Proto` are taken from the addresses and networks `proxies` alone.
    """
    served = _under(app, root_path) if root_path else app
    return ProxyHeadersMiddleware(served, list(proxies)) if proxies else served  # type: ignore[arg-type,return-value]


def _under(app: ASGIApp, root_path: str) -> ASGIApp:
    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        await app(_placed(scope, root_path) if "path" in scope else scope, receive, send)

    return gate


def _placed(scope: Scope, root_path: str) -> Scope:
    # Some proxies take the path off, and some leave it.
    path: str = scope["path"]
    if not f"{path}/".startswith(f"{root_path}/"):
        path = root_path + path
    return {**scope, "root_path": root_path, "path": path}
