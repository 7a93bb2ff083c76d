"""A partner's reservations and counters, read over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from audit.errors import AuditError
from audit.facts import STOCK_PARTNERS, Account, Member, PartnerFacts, SeenReservation, StockRow
from trip.partner import PAYMENT, POINTS, Partner

PAGE = 500
CALL_TIMEOUT = aiohttp.ClientTimeout(total=15)
ATTEMPTS = 4
PAUSE_S = 0.5

T = TypeVar("T")


class _Reservations(TypedDict):
    items: list[SeenReservation]
    next_cursor: str | None


class _Stock(TypedDict):
    items: list[StockRow]
    next_cursor: str | None


class _Members(TypedDict):
    items: list[Member]
    next_cursor: str | None


class _Ledger(TypedDict):
    accounts: list[Account]


_RESERVATIONS: TypeAdapter[Any] = TypeAdapter(_Reservations)
_STOCK: TypeAdapter[Any] = TypeAdapter(_Stock)
_MEMBERS: TypeAdapter[Any] = TypeAdapter(_Members)
_LEDGER: TypeAdapter[Any] = TypeAdapter(_Ledger)


@dataclass(frozen=True)
class PartnerReader:
    """Reads one partner, a call at a time."""

    partner: Partner
    url: str
    token: str | None
    session: aiohttp.ClientSession

    async def read(self) -> PartnerFacts:
        """Reservations, then the counters, then the reservations again. Raises AuditError."""
        before = await self._reservations({})
        counters = await _COUNTERS[self.partner](self)
        return PartnerFacts(before=before, after=await self._reservations(before), **counters)

    async def _reservations(self, known: dict[str, SeenReservation]) -> dict[str, SeenReservation]:
        """All reservations by key. One that equals the `known` one is that very object, to spare memory.

        They are not asked for by status: one that moves on between two such lists would be in neither.
        """
        found = await self._every("/reservations", _RESERVATIONS)
        reservations = (known.get(r.key, r) if known.get(r.key) == r else r for r in found)
        return {reservation.key: reservation for reservation in reservations}

    async def stock(self) -> dict[str, Any]:
        """The counters of a stay's stock."""
        return {"stock": {row.name: row for row in await self._every("/inventory", _STOCK)}}

    async def members(self) -> dict[str, Any]:
        """The balances of points."""
        return {"members": tuple(await self._every("/members", _MEMBERS))}

    async def ledger(self) -> dict[str, Any]:
        """The accounts of payment."""
        return {"accounts": tuple((await self._get("/ledger", {}, _LEDGER))["accounts"])}

    async def _every(self, path: str, shape: TypeAdapter[Any]) -> list[Any]:
        items: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
            page = await self._get(path, query, shape)
            items += page["items"]
            if page["next_cursor"] is not None and not page["items"]:
                raise AuditError(f"{self.partner} at {self.url}{path}: an empty page names a next one")
            cursor = page["next_cursor"]
        return items

    async def _get(self, path: str, query: dict[str, str], shape: TypeAdapter[T]) -> T:
        """One answer; what may pass, such as a partner that is just being started again, is tried again."""
        trouble = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_S * attempt)
            try:
                status, body = await self._call(path, query)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                trouble = str(error) or type(error).__name__
                continue
            if status == 200:
                return self._parsed(path, body, shape)
            trouble = f"answered {status}"
            if status < 500 and status != 429:
                break
        raise AuditError(f"{self.partner} at {self.url}{path} cannot be read: {trouble}")

    async def _call(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else None
        request = self.session.get(self.url + path, params=query, headers=headers, timeout=CALL_TIMEOUT)
        async with request as answer:
            return answer.status, await answer.read()

    def _parsed(self, path: str, body: bytes, shape: TypeAdapter[T]) -> T:
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, found["loc"]))
            raise AuditError(
                f"{self.partner} at {self.url}{path}: unreadable: {where}: {found['msg']}"
            ) from error


_COUNTERS: dict[Partner, Callable[[PartnerReader], Awaitable[dict[str, Any]]]] = {
    **dict.fromkeys(STOCK_PARTNERS, PartnerReader.stock),
    POINTS: PartnerReader.members,
    PAYMENT: PartnerReader.ledger,
}
