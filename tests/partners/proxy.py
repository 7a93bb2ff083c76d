"""A TCP proxy before an engine, to take the engine away from one partner alone."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from urllib.parse import urlsplit, urlunsplit

CHUNK = 65_536


class Proxy:
    """Passes on what comes, until it is told to cut every connection or to leave all bytes lying."""

    def __init__(self, engine_url: str) -> None:
        self._engine = urlsplit(engine_url)
        self._flowing = asyncio.Event()
        self._cutting = False
        self._writers: set[StreamWriter] = set()
        self._clients: set[StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._flowing.set()

    async def start(self) -> str:
        """Listen; the engine's address through this proxy."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = f"{self._engine.netloc.rpartition('@')[0]}@" if "@" in self._engine.netloc else ""
        # MongoDB's clients go around the proxy otherwise, to the address that the server gives itself.
        direct = ["directConnection=true"] if self._engine.scheme == "mongodb" else []
        query = "&".join(filter(None, [self._engine.query, *direct]))
        return urlunsplit(self._engine._replace(netloc=f"{user}127.0.0.1:{port}", query=query))

    def cut(self) -> None:
        """Cut all connections, and every new one."""
        self._cutting = True
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Keep all connections and pass on nothing."""
        self._flowing.clear()

    def say(self, data: bytes) -> None:
        """Send to every client what its engine did not."""
        for client in self._clients:
            client.write(data)

    def restore(self) -> None:
        """Pass on again."""
        self._cutting = False
        self._flowing.set()

    async def stop(self) -> None:
        """Close."""
        self.restore()
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._cutting:
            writer.transport.abort()
            return
        assert self._engine.hostname
        assert self._engine.port
        engine = await asyncio.open_connection(self._engine.hostname, self._engine.port)
        self._clients.add(writer)
        await asyncio.gather(self._pipe(reader, engine[1]), self._pipe(engine[0], writer))
        self._clients.discard(writer)

    async def _pipe(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(CHUNK):
                    await self._flowing.wait()
                    writer.write(data)
                    await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()
