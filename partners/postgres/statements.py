"""The SQL of a partner's reservations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from partners.declaration import B
from partners.erasing import ERASED

STANDS = "CASE WHEN status = 'held' AND expires_at <= now() THEN 'expired' ELSE status END"

TAKE_PART = "UPDATE {schema}.reservations SET note = $2 WHERE key = $1 AND note IS NULL"

# The insert of the key wins or loses. A known key gets the note if it has none, and else yields no row.
REFUSE = """
INSERT INTO {schema}.reservations AS reservation (key, status, note, refusal)
VALUES ($1, 'released', $2, $3)
ON CONFLICT (key) DO UPDATE SET note = excluded.note WHERE reservation.note IS NULL
RETURNING *
"""

WRITTEN = "SELECT * FROM {schema}.reservations WHERE key = $1 AND note IS NOT NULL"

UNTOLD = "SELECT * FROM {schema}.reservations WHERE untold ORDER BY key LIMIT $1"

# The rows are locked in the order of their keys, so that two callers cannot deadlock.
MARK_TOLD = """
WITH same AS (
    SELECT key FROM {schema}.reservations
    JOIN unnest($1::text[], $2::bigint[]) AS told (key, seq) USING (key, seq)
    WHERE untold ORDER BY key
    FOR UPDATE OF reservations
)
UPDATE {schema}.reservations AS reservation SET untold = false
FROM same WHERE reservation.key = same.key
"""

# The right side of || wins, so that the first word of a source stays.
ARRIVE = """
INSERT INTO {schema}.heard AS heard (key, words) VALUES ($1, jsonb_build_object($2::text, $3::text))
ON CONFLICT (key) DO UPDATE SET words = excluded.words || heard.words
RETURNING words
"""


@dataclass(frozen=True)
class Statements(Generic[B]):
    """A partner's SQL; each statement does a verb's record and its effect, in one transaction.

    hold(key, reference, hold_s, *values(body), note), confirm(key) and release(key, note) return the
    reservation's row if they did something, and none if there was nothing to do. expire(limit) returns a row
    for each hold that it gave back. `columns` are those of the reservations that `values(body)` fills, and
    `personal` are those of them that tell of a person.
    """

    schema: str
    prefix: str
    columns: tuple[str, ...]
    values: Callable[[B], tuple[object, ...]]
    hold: str
    confirm: str
    release: str
    expire: str
    personal: tuple[str, ...] = ()

    def select(self, rest: str) -> str:
        """Rows as they are written, and as they stand: a hold past its time is no longer held."""
        return f"SELECT *, {STANDS} AS stands FROM {self.schema}.reservations {rest}"  # noqa: S608

    @property
    def erase(self) -> str:
        """erase(key, note, refusal) returns the reservation's row without what is personal."""
        gone = "".join(
            f", {name} = CASE WHEN {name} IS NOT NULL THEN '{ERASED}' END" for name in self.personal
        )
        return f"""
            UPDATE {self.schema}.reservations SET note = $2, refusal = $3{gone} WHERE key = $1 RETURNING *
            """  # noqa: S608  names of this package

    def shared(self, sql: str) -> str:
        """One of this module's statements, for this partner."""
        return sql.format(schema=self.schema)
