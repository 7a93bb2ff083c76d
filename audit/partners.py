"""A partner's reservations and counters, read over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from audit.errors import AuditError
from audit.facts import STOCK_PARTNERS, Account, Member, PartnerFacts, SeenReservation, StockRow
from serving.client import HttpClient, NoReply
from serving.fields import shown
from trip.partner import PAYMENT, POINTS, Partner

PAGE = 500
MAX_PAGE = 4 * 1024 * 1024
MAX_ROWS = 1_000_000
"""A list that is longer does not end within the audit's time."""
LIMIT_S = 15.0
ATTEMPTS = 4
PAUSE_S = 0.5

T = TypeVar("T")

_RESERVATIONS = TypeAdapter(list[SeenReservation])
_STOCK = TypeAdapter(list[StockRow])
_MEMBERS = TypeAdapter(list[Member])
_ACCOUNTS = TypeAdapter(list[Account])


@dataclass(frozen=True)
class PartnerReader:
    """Reads one partner, a call at a time. `unsound` says which rows cannot be read, and why."""

    partner: Partner
    client: HttpClient
    unsound: dict[str, str] = field(default_factory=dict)

    async def read(self) -> PartnerFacts:
        """Reservations, then the counters, then the reservations again. Raises AuditError."""
        self.unsound.clear()
        before = await self._reservations({})
        counters = await self.counters()
        after = await self._reservations(before)
        return PartnerFacts(before=before, after=after, unsound=dict(self.unsound), **counters)

    async def _reservations(self, known: dict[str, SeenReservation]) -> dict[str, SeenReservation]:
        """All reservations by key. One that equals the `known` one is that very object, to spare memory.

        They are not asked for by status: one that moves on between two such lists would be in neither.
        """
        reservations: dict[str, SeenReservation] = {}
        for found in await self._every("/reservations", _RESERVATIONS):
            if reservations.setdefault(found.key, found) != found:
                self.unsound[shown(found.key)] = "its key is listed twice, with different contents"
            elif known.get(found.key) == found:
                reservations[found.key] = known[found.key]
        return reservations

    async def counters(self) -> dict[str, Any]:
        """The partner's counters, as PartnerFacts has them."""
        return await _COUNTERS[self.partner](self)

    async def one(self, key: str) -> SeenReservation | None:
        """The reservation of a key. None if there is none, or if it cannot be read."""
        path = f"/reservations/{quote(key, safe='')}"
        found = await self._get(path, {}, or_none=True)
        if found is None:
            return None
        seen = next(self._readable(path, [found], _RESERVATIONS), None)
        if seen is not None and seen.key != key:
            self.unsound[shown(key)] = f"asked for it, the partner tells of {shown(seen.key)}"
            return None
        return seen

    async def following(self, key: str, limit: int) -> list[SeenReservation] | None:
        """At most `limit` reservations in the order of their keys, those after `key`.

        None if the partner does not list by keys: it need not.
        """
        page = await self._get("/reservations", {"after": key, "limit": str(limit)}, or_none=True)
        items = page and page.get("items")
        if not isinstance(items, list):
            return None
        found = list(self._readable("/reservations", items, _RESERVATIONS))
        keys = [key, *(one.key for one in found)]
        return found if keys == sorted(set(keys)) else None

    async def page(self, cursor: str | None) -> tuple[list[SeenReservation], str | None]:
        """A page of all reservations, and the cursor of the next one. A cursor may be refused: no rows."""
        query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
        page = await self._get("/reservations", query, or_none=bool(cursor))
        if page is None:
            return [], None
        rows = self._read("/reservations", page, "items", _RESERVATIONS)
        following = page.get("next_cursor")
        return rows, following if isinstance(following, str) and following != cursor else None

    async def stock(self) -> dict[str, Any]:
        """The counters of a stay's stock."""
        return {"stock": {row.name: row for row in await self._every("/inventory", _STOCK)}}

    async def members(self) -> dict[str, Any]:
        """The balances of points."""
        return {"members": tuple(await self._every("/members", _MEMBERS))}

    async def ledger(self) -> dict[str, Any]:
        """The accounts of payment."""
        page = await self._get("/ledger", {})
        return {"accounts": tuple(self._read("/ledger", page, "accounts", _ACCOUNTS))}

    async def _every(self, path: str, rows: TypeAdapter[list[T]]) -> list[T]:
        found: list[T] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await self._get(path, {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {}))
            items = self._read(path, page, "items", rows)
            found += items
            before, cursor = cursor, page.get("next_cursor")
            if cursor is not None and (not isinstance(cursor, str) or cursor == before or not page["items"]):
                raise self._unreadable(path, f"no list goes on at {shown(str(cursor))}")
            if len(found) > MAX_ROWS:
                raise self._unreadable(path, f"a list of over {MAX_ROWS} rows")
        return found

    @overload
    async def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]: ...

    @overload
    async def _get(self, path: str, query: dict[str, str], *, or_none: bool) -> dict[str, Any] | None: ...

    async def _get(self, path: str, query: dict[str, str], *, or_none: bool = False) -> dict[str, Any] | None:
        """One answer; what may pass, such as a partner that is just being started again, is tried again.

        With `or_none`, None if the partner has nothing there, or refuses the question.
        """
        trouble = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_S * attempt)
            try:
                reply = await self.client.ask("GET", path, query=query, limit_s=LIMIT_S, max_body=MAX_PAGE)
            except NoReply as error:
                trouble = str(error)
                continue
            if reply.status == 200:
                return self._document(path, reply.body)
            if or_none and reply.status in (400, 404, 422):
                return None
            trouble = f"answered {reply.status}"
            if reply.status < 500 and reply.status != 429:
                break
        raise self._unreadable(path, trouble)

    def _document(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            document = from_json(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._unreadable(path, f"no JSON object of at most {MAX_PAGE} bytes")
        return document

    def _read(self, path: str, page: dict[str, Any], name: str, rows: TypeAdapter[list[T]]) -> list[T]:
        """The rows of a page. One that cannot be read is noted and left out."""
        items = page.get(name)
        if not isinstance(items, list):
            raise self._unreadable(path, f"no list of {name}")
        try:
            return rows.validate_python(items)
        except ValidationError:
            return list(self._readable(path, items, rows))

    def _readable(self, path: str, items: list[Any], rows: TypeAdapter[list[T]]) -> Iterator[T]:
        for item in items:
            try:
                yield from rows.validate_python([item])
            except ValidationError as error:
                found = error.errors(include_url=False, include_input=False)[0]
                place = ".".join(str(part) for part in found["loc"][1:])
                self.unsound[shown(_name(item) or path)] = shown(f"{place}: {found['msg']}")

    def _unreadable(self, path: str, trouble: str) -> AuditError:
        return AuditError(f"{self.partner} at {self.client.url}{path} cannot be read: {trouble}")


def _name(item: Any) -> str | None:
    """How a row that cannot be read is called."""
    row = item if isinstance(item, dict) else {}
    named = (row.get(name) for name in ("key", "id", "member_id", "account"))
    return next((name for name in named if isinstance(name, str) and name), None)


_COUNTERS: dict[Partner, Callable[[PartnerReader], Awaitable[dict[str, Any]]]] = {
    **dict.fromkeys(STOCK_PARTNERS, PartnerReader.stock),
    POINTS: PartnerReader.members,
    PAYMENT: PartnerReader.ledger,
}
