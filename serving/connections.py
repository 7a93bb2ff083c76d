"""How many connections a process takes: in all, and of one address.

A process without a file left cannot even reach its database, so there are fewer than the files that it may
have open.
"""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

RESERVE = 80
"""Files that a process needs for itself at least: databases, Temporal, modules."""

FEWEST = 16
MOST = 16_384
MOST_OF_AN_ADDRESS = 8192
MAX_UNFINISHED = 8 * 1024 * 1024
"""Bytes that are kept of requests whose head is not complete, on all connections together."""

_OWN_BITS = 64
"""How many bits of its address an IPv6 host cannot choose."""


class Entry(Enum):
    """What becomes of a new connection. BUSY: its requests are answered 503."""

    OPEN = auto()
    BUSY = auto()
    CUT = auto()


@dataclass
class Connections:
    """The connections of one process. Those of `proxies`, networks with many callers, count in all alone.

    Connections beyond `most` or `most_of_an_address` are busy. If there are `spare` busy ones, further ones
    are cut off, since connections that send nothing cannot be answered.
    """

    most: int = MOST
    most_of_an_address: int = MOST_OF_AN_ADDRESS
    spare: int = RESERVE // 2
    proxies: tuple[str, ...] = ()
    open: int = 0
    unfinished: int = 0
    by_network: Counter[str] = field(default_factory=Counter)

    def enter(self, address: str) -> Entry:
        """Count a new connection, which has to leave in any case."""
        self.open += 1
        beyond = self.open - self.most
        if not self._is_proxy(address):
            network = network_of(address)
            self.by_network[network] += 1
            beyond = max(beyond, self.by_network[network] - self.most_of_an_address)
        if beyond > self.spare:
            return Entry.CUT
        return Entry.BUSY if beyond > 0 else Entry.OPEN

    def leave(self, address: str) -> None:
        """A connection has ended."""
        self.open -= 1
        if self._is_proxy(address):
            return
        network = network_of(address)
        self.by_network[network] -= 1
        if not self.by_network[network]:
            del self.by_network[network]

    def _is_proxy(self, address: str) -> bool:
        return any(ipaddress.ip_address(address) in ipaddress.ip_network(proxy) for proxy in self.proxies)


def most_connections(files: int, most: int = MOST) -> int:
    """The connections that a server takes if its process may open so many files."""
    return min(max(files - _reserve(files), FEWEST), most)


def connections(
    files: int,
    most: int = MOST,
    of_an_address: int = MOST_OF_AN_ADDRESS,
    proxies: Sequence[str] = (),
) -> Connections:
    """The connections of a process that may open so many files."""
    return Connections(most_connections(files, most), of_an_address, _reserve(files) // 2, tuple(proxies))


def _reserve(files: int) -> int:
    return max(files // 8, RESERVE)


def network_of(address: str) -> str:
    """Whose connections and refusals are counted together: an address, or the network of an IPv6 one.

    Who has an IPv6 address has the other 2**64 of its network, too.
    """
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address.partition("%")[0], _OWN_BITS), strict=False))
    except ValueError:
        return address
