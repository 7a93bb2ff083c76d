"""What the audit in windows reads of the trips' record, and how far it has come.

Each statement touches no more rows than it returns, whatever lies behind.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from asyncpg.pool import PoolConnectionProxy

from record.pool import Pool, connected

ENDED = "ended"
"""Trips in the order of their ends. Those up to this place are in the tallies `now`, but for the doubtful."""

AGAIN = "again"
"""The same trips once more, in turn. Those up to this place are in the tallies `next`."""

# The first conditions of each are spelt as in its index.
_ENDED = """
    select trip_id, ended_at from (
        (select trip_id, ended_at from trips
         where erased_at is null and ended_at is not null
             and ended_at >= $1 and (ended_at, trip_id) > ($1, $2)
             and ended_at <= $3 and (ended_at, trip_id) <= ($3, $4)
         order by ended_at, trip_id limit $5)
        union all
        (select trip_id, ended_at from trips
         where erased_at is not null and ended_at is not null
             and ended_at >= $1 and (ended_at, trip_id) > ($1, $2)
             and ended_at <= $3 and (ended_at, trip_id) <= ($3, $4)
         order by ended_at, trip_id limit $5)) as ended
    order by ended_at, trip_id limit $5
    """

_UNFINISHED = """
    select trip_id from trips
    where status not in ('confirmed', 'failed', 'cancelled') and trip_id > $1 order by trip_id limit $2
    """

_DOUBTS = "select subject, in_now from audit_doubts where subject > $1 order by subject limit $2"

_ORDERED = "select trip_id from trips where trip_id = any($1) and booking -> 'order' ->> $2 is not null"

# If two audits run at once, the one that comes second has nothing to add.
_MOVE = """
    insert into audit_places as p select $1, $2
    where $3::text is null or exists (select from audit_places where what = $1)
    on conflict (what) do update set place = excluded.place where p.place = $3
    returning true
    """

_TALLY = """
    insert into audit_tallies as t select $1, * from unnest($2::text[], $3::text[], $4::bigint[])
    on conflict (turn, partner, row) do update set units = t.units + excluded.units
    """

_IN_NOW = "update audit_doubts set in_now = true where subject = any($1)"

_IN_NEXT = "update audit_doubts set in_next = true where subject = any($1)"

_NEW_DOUBTS = "insert into audit_doubts select unnest($1::text[]), false, false on conflict do nothing"

_OLD_DOUBTS = """
    insert into audit_doubts select unnest($1::text[]), true, false
    on conflict (subject) do update set in_next = false
    """

# What is no trip, or has not ended, is in no tallies.
_OTHER_DOUBTS = """
    insert into audit_doubts
    select subject, coalesce((ended_at, trip_id) <= ($2, $3), false),
           coalesce((ended_at, trip_id) <= ($4, $5), false)
    from unnest($1::text[]) as subject left join trips on trip_id = subject
    on conflict do nothing
    """

# A trip that ended after a place is tallied when the audit gets there.
_SETTLED = """
    delete from audit_doubts where subject = $1 returning
        not in_now and exists (
            select from trips where trip_id = $1 and (ended_at, trip_id) <= ($2, $3)) as now,
        not in_next and exists (
            select from trips where trip_id = $1 and (ended_at, trip_id) <= ($4, $5)) as next
    """

_COME_THROUGH = """
    delete from audit_tallies where turn = 'now';
    update audit_tallies set turn = 'now';
    update audit_doubts set in_now = in_next, in_next = false
    """

_FORGET = "truncate audit_places, audit_tallies, audit_doubts"

Place = tuple[datetime, str]
"""A trip's place among those that have ended: when it did, and its id."""

BEFORE_ALL: Place = (datetime.fromtimestamp(0, UTC), "")

Units = Mapping[tuple[str, str], int]
"""Units by partner and row."""


class OtherAudit(Exception):
    """Another audit in windows runs: it has moved a place meanwhile."""


@dataclass(frozen=True)
class Gone:
    """Trips that were gone through: the `clean` ones with their units, and the doubtful ones."""

    clean: Collection[str]
    units: Units
    doubtful: Sequence[str]


def read_place(kept: str | None) -> Place:
    """A place that was `written`; before all trips, if there is none."""
    if kept is None:
        return BEFORE_ALL
    at, _, trip_id = kept.partition(" ")
    return datetime.fromisoformat(at), trip_id


def written(place: Place) -> str:
    """The place as it is kept."""
    at, trip_id = place
    return f"{at.isoformat()} {trip_id}"


async def place_of(pool: Pool, what: str) -> str | None:
    """How far the audit has come in it. None: it has not begun."""
    async with connected(pool) as connection:
        place: str | None = await connection.fetchval("select place from audit_places where what = $1", what)
    return place


async def ended(pool: Pool, after: Place, until: Place, limit: int) -> list[Place]:
    """At most `limit` trips after a place, up to another one, in the order of their ends."""
    async with connected(pool) as connection:
        rows = await connection.fetch(_ENDED, *after, *until, limit)
    return [(row["ended_at"], row["trip_id"]) for row in rows]


async def unfinished(pool: Pool, after: str, limit: int) -> list[str]:
    """The ids after `after` of trips that have not ended, in their order."""
    async with connected(pool) as connection:
        return [row["trip_id"] for row in await connection.fetch(_UNFINISHED, after, limit)]


async def doubts(pool: Pool, after: str, limit: int) -> dict[str, bool]:
    """The subjects after `after` that were doubtful, in their order, and whether each is in the tallies."""
    async with connected(pool) as connection:
        rows = await connection.fetch(_DOUBTS, after, limit)
    return {row["subject"]: row["in_now"] for row in rows}


async def that_ordered(pool: Pool, trip_ids: Sequence[str], partner: str) -> set[str]:
    """Those of the trips that are in the record and ordered the partner's part."""
    async with connected(pool) as connection:
        return {row["trip_id"] for row in await connection.fetch(_ORDERED, trip_ids, partner)}


async def tallies(pool: Pool) -> dict[tuple[str, str], int]:
    """The units of all rows."""
    async with connected(pool) as connection:
        rows = await connection.fetch("select partner, row, units from audit_tallies where turn = 'now'")
    return {(row["partner"], row["row"]): row["units"] for row in rows}


async def move(pool: Pool, what: str, before: str | None, after: str) -> None:
    """Keep how far the audit has come in it. Raises OtherAudit."""
    async with connected(pool) as connection:
        await _move(connection, what, before, after)


async def move_ended(pool: Pool, before: str | None, after: str, gone: Gone) -> None:
    """Keep that trips were gone through, all of it or nothing. Raises OtherAudit."""
    async with connected(pool) as connection, connection.transaction():
        await _move(connection, ENDED, before, after)
        await _tally(connection, "now", gone.units)
        await connection.execute(_IN_NOW, list(gone.clean))
        await connection.execute(_NEW_DOUBTS, gone.doubtful)


async def move_again(pool: Pool, before: str | None, after: str, gone: Gone, end: str | None) -> None:
    """Keep that trips were gone through again, all of it or nothing. Raises OtherAudit.

    `end` is given if no more are left: the place ENDED, which is not to have moved since.
    """
    async with connected(pool) as connection, connection.transaction():
        await _move(connection, AGAIN, before, after)
        await _tally(connection, "next", gone.units)
        await connection.execute(_IN_NEXT, list(gone.clean))
        await connection.execute(_OLD_DOUBTS, gone.doubtful)
        if end is not None:
            await _move(connection, ENDED, end, end)
            await connection.execute(_COME_THROUGH)


async def doubt(pool: Pool, subjects: Sequence[str], now: Place, following: Place) -> None:
    """Have each audit look at these keys again. The places are those of ENDED and AGAIN."""
    async with connected(pool) as connection:
        await connection.execute(_OTHER_DOUBTS, subjects, *now, *following)


async def settle(pool: Pool, subject: str, now: Place, following: Place, units: Units) -> None:
    """Drop a doubt, and tally its units if it is a trip that has yet to be. The places as in `doubt`."""
    async with connected(pool) as connection, connection.transaction():
        row = await connection.fetchrow(_SETTLED, subject, *now, *following)
        for turn in ("now", "next"):
            if row and row[turn]:
                await _tally(connection, turn, units)


async def forget(pool: Pool) -> None:
    """Have the audit in windows begin again, with the first trip."""
    async with connected(pool) as connection:
        await connection.execute(_FORGET)


async def _move(connection: PoolConnectionProxy, what: str, before: str | None, after: str) -> None:
    if not await connection.fetchval(_MOVE, what, after, before):
        raise OtherAudit("another audit in windows runs; wait for its end")


async def _tally(connection: PoolConnectionProxy, turn: str, units: Units) -> None:
    if units:
        partners, rows = zip(*units, strict=True)
        await connection.execute(_TALLY, turn, partners, rows, list(units.values()))
