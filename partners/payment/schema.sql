-- A role that owns the schema but may not create one is enough where the schema is there already.
DO $$ BEGIN
    IF to_regnamespace('payment') IS NULL THEN
        CREATE SCHEMA payment;
    END IF;
END $$;

CREATE TABLE payment.accounts (
    name text,
    currency text,
    PRIMARY KEY (name, currency)
);

INSERT INTO payment.accounts (name, currency) VALUES
    ('cards', 'JPY'), ('authorised', 'JPY'), ('captured', 'JPY');

-- A key closed before it was ever held has only key and status. `was` is the status that a release ended.
CREATE TABLE payment.reservations (
    key text COLLATE "C" PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('held', 'confirmed', 'released', 'expired')),
    was text,
    reference text UNIQUE,
    card_token text,
    amount_minor bigint CHECK (amount_minor > 0),
    currency text,
    expires_at timestamptz
);

CREATE INDEX reservations_due ON payment.reservations (expires_at) WHERE status = 'held';

-- Double entry by construction: one row takes from an account what it gives to another, so that the
-- balances of a currency always sum to 0. Rows are only ever added, and no balance is kept in a row that
-- all payments would have to wait for. A reservation can make each kind of move once. The check names the
-- accounts of each kind; a foreign key would lock the same few account rows in every payment.
CREATE TABLE payment.transfers (
    key text COLLATE "C" NOT NULL REFERENCES payment.reservations,
    kind text NOT NULL CHECK (kind IN ('authorise', 'capture', 'void', 'refund')),
    from_account text NOT NULL,
    to_account text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, kind),
    CHECK ((kind, from_account, to_account) IN (
        ('authorise', 'cards', 'authorised'),
        ('capture', 'authorised', 'captured'),
        ('void', 'authorised', 'cards'),
        ('refund', 'captured', 'cards')))
);
