"""The SQL of a stock. `{schema}` stands for the partner's name.

Every statement locks a reservation first and the stock's rows last, in the order of item and day, so that
statements cannot deadlock. An `INSERT … SELECT … ORDER BY` keeps that order, an `UPDATE` would not. The
row that such an insert proposes must pass the table's check, so `total` carries the units. The sweep takes
only reservations that nobody else has, and gives way to a sweep that is under way.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from partners.declaration import B, Claim, Stay
from partners.postgres.statements import Statements

# The insert of the key wins or loses. A day without room fails its check and takes the reservation back
# with it. A key that is known, or an item that is not, yields no row.
HOLD = """
WITH won AS (
    INSERT INTO {schema}.reservations
           (key, status, reference, body, item, days, units, amount_minor, currency, expires_at, note)
    SELECT $1, 'held', $2, $4, id, $6::date[], $7::bigint,
           price_minor * $7::bigint * cardinality($6::date[]), currency, now() + make_interval(secs => $3),
           $8
    FROM {schema}.items WHERE id = $5
    ON CONFLICT (key) DO NOTHING
    RETURNING *
), taken AS (
    INSERT INTO {schema}.stock AS stock (item, day, total, held)
    SELECT won.item, day, items.units_a_day, won.units
    FROM won JOIN {schema}.items ON items.id = won.item CROSS JOIN unnest(won.days) AS day
    ORDER BY day
    ON CONFLICT (item, day) DO UPDATE SET held = stock.held + excluded.held
)
SELECT * FROM won
"""

CONFIRM = """
WITH won AS (
    UPDATE {schema}.reservations SET status = 'confirmed'
    WHERE key = $1 AND status = 'held' AND expires_at > now()
    RETURNING *
), moved AS (
    INSERT INTO {schema}.stock AS stock (item, day, total)
    SELECT item, day, units FROM won CROSS JOIN unnest(days) AS day ORDER BY day
    ON CONFLICT (item, day) DO UPDATE
    SET held = stock.held - excluded.total, confirmed = stock.confirmed + excluded.total
)
SELECT * FROM won
"""

# The insert closes a key never seen; it waits for a hold that is under way and then ends that one. That
# hold may have made the stock's row too, later than this statement's snapshot: an update would miss the
# row, an insert in conflict with it does not.
RELEASE = """
WITH won AS (
    INSERT INTO {schema}.reservations AS reservation (key, status, note) VALUES ($1, 'released', $2)
    ON CONFLICT (key) DO UPDATE
    SET status = 'released', was = reservation.status, note = coalesce(reservation.note, excluded.note)
    WHERE reservation.status <> 'released' OR (reservation.note IS NULL AND excluded.note IS NOT NULL)
    RETURNING *
), given_back AS (
    INSERT INTO {schema}.stock AS stock (item, day, total)
    SELECT item, day, units FROM won CROSS JOIN unnest(days) AS day
    WHERE was IN ('held', 'confirmed') ORDER BY day
    ON CONFLICT (item, day) DO UPDATE
    SET held = stock.held - CASE (SELECT was FROM won) WHEN 'held' THEN excluded.total ELSE 0 END,
        confirmed =
            stock.confirmed - CASE (SELECT was FROM won) WHEN 'confirmed' THEN excluded.total ELSE 0 END
)
SELECT * FROM won
"""

EXPIRE = """
WITH due AS (
    SELECT key FROM {schema}.reservations
    WHERE status = 'held' AND expires_at <= now()
      AND (SELECT pg_try_advisory_xact_lock(hashtext('partners.{schema}.sweep')))
    ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
), gone AS (
    UPDATE {schema}.reservations AS reservation SET status = 'expired'
    FROM due WHERE reservation.key = due.key
    RETURNING reservation.key, reservation.item, reservation.days, reservation.units
), given_back AS (
    INSERT INTO {schema}.stock AS stock (item, day, total)
    SELECT item, day, sum(units) FROM gone CROSS JOIN unnest(days) AS day
    GROUP BY item, day ORDER BY item, day
    ON CONFLICT (item, day) DO UPDATE SET held = stock.held - excluded.total
)
SELECT key FROM gone
"""

INVENTORY = """
SELECT item AS id, day AS date, total, total - held - confirmed AS free, held, confirmed
FROM {schema}.stock
WHERE $1::text IS NULL OR (item, day) > ($1, $2::date)
ORDER BY item, day LIMIT $3
"""

ADD_ITEMS = """
INSERT INTO {schema}.items (id, currency, price_minor, units_a_day)
SELECT id, 'JPY', price_minor, units_a_day
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS sample (id, price_minor, units_a_day)
ON CONFLICT (id) DO NOTHING
"""


def taken(claims: Iterable[Claim]) -> tuple[str, list[date], int]:
    """The one item of a body's claims, its days, and the units of each day. Raises ValueError."""
    claims = tuple(claims)
    ((item, units),) = {(claim.item, claim.units) for claim in claims}
    return item, [claim.day for claim in claims], units


def statements(stay: Stay[B]) -> Statements[B]:
    """The SQL of the stay's stock."""

    def values(body: B) -> tuple[Any, ...]:
        return (body.model_dump_json(), *taken(stay.claims(body)))

    return Statements(
        schema=stay.name,
        prefix=stay.name.upper(),
        columns=("body", "item", "days", "units"),
        values=values,
        hold=HOLD.format(schema=stay.name),
        confirm=CONFIRM.format(schema=stay.name),
        release=RELEASE.format(schema=stay.name),
        expire=EXPIRE.format(schema=stay.name),
    )
