-- `{schema}` stands for the partner's name.
-- A role that owns the schema but may not create one is enough if the schema is there already.
DO $$ BEGIN
    IF to_regnamespace('{schema}') IS NULL THEN
        CREATE SCHEMA {schema};
    END IF;
END $$;

CREATE TABLE {schema}.items (
    id text COLLATE "C" PRIMARY KEY,
    price_minor bigint NOT NULL CHECK (price_minor > 0),
    currency text NOT NULL,
    units_a_day bigint NOT NULL CHECK (units_a_day > 0)
);

-- An item's row for a day stands from its first hold on. The check keeps a unit from being sold twice.
CREATE TABLE {schema}.stock (
    item text COLLATE "C" NOT NULL REFERENCES {schema}.items,
    day date NOT NULL,
    total bigint NOT NULL,
    held bigint NOT NULL DEFAULT 0,
    confirmed bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (item, day),
    CONSTRAINT within_capacity CHECK (held >= 0 AND confirmed >= 0 AND held + confirmed <= total)
) WITH (fillfactor = 50);

-- A key closed before it was ever held has only key and status. `was` is the status that a release ended.
-- No foreign key to the stock: each check of it would lock the row that all its callers contend for.
CREATE TABLE {schema}.reservations (
    key text COLLATE "C" PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('held', 'confirmed', 'released', 'expired')),
    was text,
    reference text UNIQUE,
    body text,
    item text COLLATE "C",
    days date[],
    units bigint,
    amount_minor bigint,
    currency text,
    expires_at timestamptz
);

CREATE INDEX reservations_due ON {schema}.reservations (expires_at) WHERE status = 'held';
