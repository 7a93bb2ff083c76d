"""`python -m trials.bench.attack.attacker KIND PORT`: attacks the front door at that port until SIGTERM.

It gives way to all other processes (nice), and comes from a loopback address of its own, since a front door
counts by address. At its end it prints what it did, as JSON.
"""

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

import uvloop

HOST = "127.0.0.1"
LAST_NICE = 19
CLIENTS = 150
HALF_OPEN = 200
TOKENS_PER_S = 500
MOST_CONNECTIONS = 1000
"""Of the wrong tokens. An answer that comes late holds up no other one, until so many do."""

PIECE = b"x" * 65_536
AGAIN_S = 0.05
LIMIT_S = 30.0
OPEN_PATHS = (
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs",
    "/docs/swagger-ui-bundle.js", "/console", "/", "/nowhere",
)  # fmt: skip
"""What is open to all, and what is not there."""

Seen = Counter[str]
"""Answers by status, `connections`, `kB` sent, and tokens that found no connection (`held up`)."""


class Connection:
    """A connection from the attacker's address."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, path: str, headers: str = "") -> str:
        """Make a request; returns the status of its answer, once it has been read."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n".encode())
        async with asyncio.timeout(LIMIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            _, _, length = head.partition("content-length: ")
            await self.reader.readexactly(int(length.partition("\r\n")[0]))
        return head.split()[1]


class Attack:
    """What all kinds of attack share."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self.seen = Seen()

    async def connect(self) -> Connection:
        opened = await asyncio.open_connection(HOST, self._port, local_addr=(self._address, 0))
        self.seen["connections"] += 1
        return Connection(*opened)

    async def again_and_again(self, use: Callable[[Connection], Awaitable[None]]) -> None:
        """Use one connection after another."""
        while True:
            try:
                connection = await self.connect()
                try:
                    await use(connection)
                finally:
                    connection.writer.close()
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(AGAIN_S)


async def open_paths(attack: Attack) -> None:
    """Clients without a token, each with its next request as soon as the last one is answered."""

    def client(number: int) -> Callable[[Connection], Awaitable[None]]:
        paths = itertools.islice(itertools.cycle(OPEN_PATHS), number, None)

        async def use(connection: Connection) -> None:
            while True:
                attack.seen[await connection.ask(next(paths))] += 1

        return use

    await asyncio.gather(*(attack.again_and_again(client(number)) for number in range(CLIENTS)))


async def endless_head(attack: Attack) -> None:
    """A head that never ends, as fast as it is taken."""

    async def use(connection: Connection) -> None:
        connection.writer.write(b"GET / HTTP/1.1\r\nX-Endless: ")
        while True:
            connection.writer.write(PIECE)
            await connection.writer.drain()
            attack.seen["kB"] += len(PIECE) // 1024

    await attack.again_and_again(use)


async def half_open(attack: Attack) -> None:
    """Heads that stand still."""

    async def use(connection: Connection) -> None:
        connection.writer.write(b"GET /trips HTTP/1.1\r\nHost: x\r\nX-Half: ")
        while answered := await connection.reader.read(len(PIECE)):
            attack.seen[answered.split()[1].decode()] += 1

    await asyncio.gather(*(attack.again_and_again(use) for _ in range(HALF_OPEN)))


async def wrong_tokens(attack: Attack) -> None:
    """Tokens of the right form that nobody made, at a steady rate."""
    idle: list[Connection] = []
    busy: set[asyncio.Task[None]] = set()

    async def ask() -> None:
        token = f"{secrets.token_hex(8)}.{secrets.token_urlsafe(32)}"
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            connection = idle.pop() if idle else await attack.connect()
            attack.seen[await connection.ask("/me", f"Authorization: Bearer {token}\r\n")] += 1
            idle.append(connection)

    clock = asyncio.get_running_loop().time
    began = clock()
    for turn in itertools.count(1):
        if len(busy) < MOST_CONNECTIONS:
            task = asyncio.create_task(ask())
            busy.add(task)
            task.add_done_callback(busy.discard)
        else:
            attack.seen["held up"] += 1
        await asyncio.sleep(began + turn / TOKENS_PER_S - clock())


KINDS: dict[str, Callable[[Attack], Awaitable[None]]] = {
    "open": open_paths,
    "head": endless_head,
    "half_open": half_open,
    "tokens": wrong_tokens,
}


def address_of(kind: str) -> str:
    """Linux takes any address of 127.0.0.0/8 as the machine's own."""
    return f"127.0.0.{2 + list(KINDS).index(kind)}"


async def run(kind: str, port: int) -> Seen:
    attack = Attack(address_of(kind), port)
    attacking = asyncio.ensure_future(KINDS[kind](attack))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, attacking.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await attacking
    return attack.seen


def main() -> None:
    os.nice(LAST_NICE)
    kind, port = sys.argv[1:]
    seen = uvloop.run(run(kind, int(port)))
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
