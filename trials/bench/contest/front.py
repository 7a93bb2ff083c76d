"""A front door of a few lines, for sagas that have none."""

from collections.abc import Iterable

from aiohttp import web

from stack.runner import stop_event


async def serve(routes: Iterable[web.RouteDef], port: int) -> None:
    """Serve the routes and `/healthz` until SIGTERM."""

    async def healthy(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.add_routes([*routes, web.get("/healthz", healthy)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await stop_event().wait()
    finally:
        await runner.cleanup()
