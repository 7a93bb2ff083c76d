"""What is known of the reservations at a partner that speaks HTTP alone, for the adapter that takes part.

Each call is one transaction, and a trigger raises the `seq` of a row that changes and leaves it untold.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from partners.participant import Noted, Refusal, Told
from partners.store import Reservation, Status
from record.pool import Pool, connected
from trip.partner import Partner
from trip.partner import Reservation as Answer

# What is asked once stays. So a key that was closed before is not asked at all.
_ASK = """
    insert into adapter_steps as step (partner, key, body_hash, note, tries) values ($1, $2, $3, $4, 1)
    on conflict (partner, key) do update set
        body_hash = case when step.status is null then coalesce(step.body_hash, excluded.body_hash)
                    else step.body_hash end,
        tries = step.tries + (step.status is null)::int,
        note = coalesce(step.note, excluded.note)
    """

_HOLD = """
    update adapter_steps
    set status = 'held', reference = $3, amount_minor = $4, currency = $5, expires_at = $6, tries = 0
    where partner = $1 and key = $2 and status is null
    """

_OWE = """
    update adapter_steps set owed = owed + 1
    where partner = $1 and key = $2 and status in ('released', 'expired')
    """

_TRY_CONFIRM = """
    update adapter_steps set tries = tries + 1 where partner = $1 and key = $2 and status = 'held'
    """

_CONFIRM = """
    update adapter_steps set status = 'confirmed', reference = $3
    where partner = $1 and key = $2 and status = 'held'
    """

_EXPIRE = """
    update adapter_steps set status = 'expired' where partner = $1 and key = $2 and status = 'held'
    """

# What the partner was never asked for need not be given back.
_RELEASE = """
    insert into adapter_steps as step (partner, key, status, note) values ($1, $2, 'released', $3)
    on conflict (partner, key) do update set
        owed = step.owed + (step.status is distinct from 'released' and step.body_hash is not null)::int,
        tries = case when step.status = 'released' then step.tries + 1 else 1 end,
        note = coalesce(step.note, excluded.note),
        status = 'released'
    """

_REFUSE = """
    insert into adapter_steps as step (partner, key, status, note, refusal)
    values ($1, $2, 'released', $3, $4)
    on conflict (partner, key) do update set
        owed = step.owed + (step.status is null and step.body_hash is not null)::int,
        tries = case when step.status is null then 1 else step.tries + 1 end,
        note = coalesce(step.note, excluded.note),
        refusal = case when step.status is null then excluded.refusal else step.refusal end,
        status = coalesce(step.status, 'released')
    """

_GIVE_BACK = """
    update adapter_steps set owed = 0 where partner = $1 and key = $2 and owed = $3
    """

_RETURNING = "returning *, clock_timestamp() as at"

_FIND = "select *, clock_timestamp() as at from adapter_steps where partner = $1 and key = $2"

_TELLS = "note is not null and status is not null and owed = 0"

_WRITTEN = f"{_FIND} and {_TELLS}"

_UNTOLD = f"""
    select *, clock_timestamp() as at from adapter_steps
    where partner = $1 and untold and {_TELLS} order by key limit $2
    """  # noqa: S608  a condition of this module

# The rows are locked in the order of their keys, so that two callers cannot deadlock.
_MARK_TOLD = """
    with same as (
        select partner, key from adapter_steps
        join unnest($2::text[], $3::bigint[]) as told (key, seq) using (key, seq)
        where partner = $1 and untold order by key
        for update of adapter_steps)
    update adapter_steps as step set untold = false
    from same where step.partner = same.partner and step.key = same.key
    """

# The right side of || wins, so that the first word of a source stays.
_ARRIVE = """
    insert into adapter_steps as step (partner, key, heard)
    values ($1, $2, jsonb_build_object($3::text, $4::text))
    on conflict (partner, key) do update set heard = excluded.heard || step.heard
    returning heard
    """


class AdapterStep(BaseModel):
    """A row `at` a time of PostgreSQL's clock. `status` is None while nothing has come of the key.

    `tries` counts how often the present act was begun. While the row has `owed`, the partner has to be asked
    to release, and the row tells nobody.
    """

    key: str
    status: Status | None
    body_hash: bytes | None
    tries: int
    owed: int
    reference: str | None
    amount_minor: int | None
    currency: str | None
    expires_at: datetime | None
    note: str | None
    seq: int
    refusal: Refusal | None
    at: datetime

    def reservation(self) -> Reservation:
        """The row as a reservation, which is Noted if the row has a note. It must have an outcome."""
        return Reservation.model_validate(self, from_attributes=True) if self.note is None else self.noted()

    def noted(self) -> Noted:
        """As `reservation`, of a row with a note."""
        return Noted.model_validate(self, from_attributes=True)


@dataclass(frozen=True)
class AdapterSteps:
    """The rows of one partner. Each method returns the row as it then stands, and raises RecordAway."""

    pool: Pool
    partner: Partner

    async def ask(self, key: str, body_hash: bytes, note: str | None) -> AdapterStep:
        """Write that the partner is about to be asked for a hold, if nothing has come of the key yet."""
        return await self._change(_ASK, key, body_hash, note)

    async def hold(self, key: str, held: Answer) -> AdapterStep:
        """Write that the partner holds, if nothing has come of the key yet."""
        return await self._change(
            _HOLD, key, held.reference, held.amount_minor, held.currency, held.expires_at
        )

    async def owe(self, key: str) -> AdapterStep:
        """Write that a closed key has to be released at the partner."""
        return await self._change(_OWE, key)

    async def try_confirm(self, key: str) -> AdapterStep | None:
        """Count an attempt to confirm, if the key is held. None if there is no row."""
        return await self._row(f"{_TRY_CONFIRM} {_RETURNING}", key) or await self._row(_FIND, key)

    async def confirm(self, key: str, reference: str | None) -> AdapterStep:
        """Write that the partner has confirmed what is held."""
        return await self._change(_CONFIRM, key, reference)

    async def expire(self, key: str) -> AdapterStep:
        """Write that the partner's hold has expired."""
        return await self._change(_EXPIRE, key)

    async def release(self, key: str, note: str | None) -> AdapterStep:
        """Close the key. It has to be released at the partner if that was ever asked."""
        return await self._change(_RELEASE, key, note)

    async def refuse(self, key: str, refusal: Refusal, note: str) -> AdapterStep:
        """Close the key and keep why, if nothing has come of it yet."""
        return await self._change(_REFUSE, key, note, refusal.model_dump())

    async def give_back(self, key: str, owed: int) -> AdapterStep:
        """Write that the partner has released what was `owed` when it was asked."""
        return await self._change(_GIVE_BACK, key, owed)

    async def written(self, key: str) -> Noted | None:
        """As Participation.written."""
        step = await self._row(_WRITTEN, key)
        return None if step is None else step.noted()

    async def untold(self, limit: int) -> Sequence[Noted]:
        """As Participation.untold."""
        async with connected(self.pool) as connection:
            rows = await connection.fetch(_UNTOLD, self.partner, limit)
        return [AdapterStep.model_validate(dict(row)).noted() for row in rows]

    async def mark_told(self, told: Sequence[Told]) -> None:
        """As Participation.mark_told."""
        keys, seqs = [one.key for one in told], [one.seq for one in told]
        async with connected(self.pool) as connection:
            await connection.execute(_MARK_TOLD, self.partner, keys, seqs)

    async def arrive(self, key: str, source: str, word: str) -> Mapping[str, str]:
        """As Participation.arrive."""
        async with connected(self.pool) as connection:
            heard: dict[str, str] = json.loads(
                await connection.fetchval(_ARRIVE, self.partner, key, source, word)
            )
        return heard

    async def _change(self, sql: str, key: str, *arguments: object) -> AdapterStep:
        """Run a statement that changes the row, or find that there was nothing to change."""
        step = await self._row(f"{sql} {_RETURNING}", key, *arguments) or await self._row(_FIND, key)
        if step is None:
            raise LookupError(f"{self.partner} has no row of {key}")
        return step

    async def _row(self, sql: str, key: str, *arguments: object) -> AdapterStep | None:
        async with connected(self.pool) as connection:
            row = await connection.fetchrow(sql, self.partner, key, *arguments)
        return None if row is None else AdapterStep.model_validate(dict(row))
