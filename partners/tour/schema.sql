-- A role that owns the schema but may not create one is enough where the schema is there already.
DO $$ BEGIN
    IF to_regnamespace('tour') IS NULL THEN
        CREATE SCHEMA tour;
    END IF;
END $$;

CREATE TABLE tour.tours (
    id text COLLATE "C" PRIMARY KEY,
    price_minor bigint NOT NULL CHECK (price_minor > 0),
    currency text NOT NULL,
    seats_a_day bigint NOT NULL CHECK (seats_a_day > 0)
);

-- A day's row stands from its first hold on; the check is what keeps a seat from being sold twice.
CREATE TABLE tour.departures (
    tour_id text COLLATE "C" NOT NULL REFERENCES tour.tours,
    day date NOT NULL,
    total bigint NOT NULL,
    held bigint NOT NULL DEFAULT 0,
    confirmed bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tour_id, day),
    CONSTRAINT within_capacity CHECK (held >= 0 AND confirmed >= 0 AND held + confirmed <= total)
) WITH (fillfactor = 50);

-- A key closed before it was ever held has only key and status. `was` is the status that a release ended.
-- No foreign key to the departure: each check of it would lock the row that all its callers contend for.
CREATE TABLE tour.reservations (
    key text COLLATE "C" PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('held', 'confirmed', 'released', 'expired')),
    was text,
    reference text UNIQUE,
    tour_id text COLLATE "C",
    day date,
    seats bigint,
    amount_minor bigint,
    currency text,
    expires_at timestamptz
);

CREATE INDEX reservations_due ON tour.reservations (expires_at) WHERE status = 'held';

INSERT INTO tour.tours (id, price_minor, currency, seats_a_day) VALUES
    ('KYOTO-WALK', 5000, 'JPY', 60),
    ('FUJI-HIKE', 12000, 'JPY', 20),
    ('BENCH-TOUR', 100, 'JPY', 10000000);
