"""The payment partner's SQL: each statement locks one reservation and adds one transfer."""

from partners.payment.declaration import Payment
from partners.postgres.statements import Statements

# The insert of the key wins or loses; a key that is known yields no row.
HOLD = """
WITH won AS (
    INSERT INTO payment.reservations
           (key, status, reference, card_token, amount_minor, currency, expires_at, note)
    VALUES ($1, 'held', $2, $4, $5::bigint, $6, now() + make_interval(secs => $3), $7)
    ON CONFLICT (key) DO NOTHING
    RETURNING *
), moved AS (
    INSERT INTO payment.transfers (key, kind, from_account, to_account, currency, amount_minor)
    SELECT key, 'authorise', 'cards', 'authorised', currency, amount_minor FROM won
)
SELECT * FROM won
"""

CONFIRM = """
WITH won AS (
    UPDATE payment.reservations SET status = 'confirmed'
    WHERE key = $1 AND status = 'held' AND expires_at > now()
    RETURNING *
), moved AS (
    INSERT INTO payment.transfers (key, kind, from_account, to_account, currency, amount_minor)
    SELECT key, 'capture', 'authorised', 'captured', currency, amount_minor FROM won
)
SELECT * FROM won
"""

# The insert closes a key never seen; it waits for a hold that is under way and then ends that one.
RELEASE = """
WITH won AS (
    INSERT INTO payment.reservations AS reservation (key, status, note) VALUES ($1, 'released', $2)
    ON CONFLICT (key) DO UPDATE
    SET status = 'released', was = reservation.status, note = coalesce(reservation.note, excluded.note)
    WHERE reservation.status <> 'released' OR (reservation.note IS NULL AND excluded.note IS NOT NULL)
    RETURNING *
), moved AS (
    INSERT INTO payment.transfers (key, kind, from_account, to_account, currency, amount_minor)
    SELECT won.key, back.kind, back.from_account, 'cards', won.currency, won.amount_minor
    FROM won
    JOIN (VALUES ('held', 'void', 'authorised'), ('confirmed', 'refund', 'captured'))
         AS back (was, kind, from_account) ON back.was = won.was
)
SELECT * FROM won
"""

EXPIRE = """
WITH due AS (
    SELECT key FROM payment.reservations
    WHERE status = 'held' AND expires_at <= now()
    ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
), gone AS (
    UPDATE payment.reservations AS reservation SET status = 'expired'
    FROM due WHERE reservation.key = due.key
    RETURNING reservation.key, reservation.currency, reservation.amount_minor
), moved AS (
    INSERT INTO payment.transfers (key, kind, from_account, to_account, currency, amount_minor)
    SELECT key, 'void', 'authorised', 'cards', currency, amount_minor FROM gone
)
SELECT key FROM gone
"""

LEDGER = """
WITH sums AS (
    SELECT from_account, to_account, currency, sum(amount_minor) AS amount_minor
    FROM payment.transfers GROUP BY from_account, to_account, currency
), sides AS (
    SELECT from_account AS account, currency, -amount_minor AS amount_minor FROM sums
    UNION ALL
    SELECT to_account, currency, amount_minor FROM sums
    UNION ALL
    SELECT name, currency, 0 FROM payment.accounts
)
SELECT account, currency, sum(amount_minor)::bigint AS balance_minor
FROM sides GROUP BY account, currency ORDER BY currency, account
"""

STATEMENTS = Statements[Payment](
    schema="payment",
    prefix="PAY",
    columns=("card_token", "amount_minor", "currency"),
    values=lambda body: (body.card_token, body.amount_minor, body.currency),
    hold=HOLD,
    confirm=CONFIRM,
    release=RELEASE,
    expire=EXPIRE,
    personal=("card_token",),
)
