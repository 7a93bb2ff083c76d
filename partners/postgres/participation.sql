-- What a choreographed saga needs of a partner. `{schema}` stands for the partner's name.
-- The columns are added to a table that may have rows, so that none of them may need a rewrite of the table.
ALTER TABLE {schema}.reservations
    ADD COLUMN note text,
    ADD COLUMN seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN untold boolean NOT NULL DEFAULT false,
    ADD COLUMN refusal jsonb;

CREATE INDEX reservations_untold ON {schema}.reservations (key) WHERE untold;

CREATE FUNCTION {schema}.leave_untold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.seq := NEW.seq + 1;
    NEW.untold := true;
    RETURN NEW;
END $$;

-- A change of a row is one of its status, or its first note. For a row without a note no function is called.
CREATE TRIGGER leave_untold BEFORE INSERT OR UPDATE OF status, note ON {schema}.reservations
    FOR EACH ROW WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION {schema}.leave_untold();

-- What was heard of a key: for each source its word.
CREATE TABLE {schema}.heard (
    key text COLLATE "C" PRIMARY KEY,
    words jsonb NOT NULL
);
