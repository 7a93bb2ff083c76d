-- migrate:up
create table adapter_steps (
    partner      text not null,
    key          text collate "C" not null,
    status       text check (status in ('held', 'confirmed', 'released', 'expired')),
    body_hash    bytea,
    tries        integer not null default 0,
    owed         integer not null default 0,
    reference    text,
    amount_minor bigint,
    currency     text,
    expires_at   timestamptz,
    note         text,
    seq          bigint not null default 0,
    untold       boolean not null default false,
    refusal      json,
    heard        jsonb not null default '{}',
    primary key (partner, key)
);
comment on table adapter_steps is 'what is known of reservations at partners that speak HTTP alone, of choreographed trips';
comment on column adapter_steps.status is 'the first outcome that was written; null: there is none yet';
comment on column adapter_steps.body_hash is 'of what the partner is asked to hold, written before it is asked; null: it never was';
comment on column adapter_steps.tries is 'how often the present act was tried; a new status starts it again';
comment on column adapter_steps.owed is
    'more than 0: the partner has to be asked to release; each hold that came too late adds one; nobody is told until then';
comment on column adapter_steps.note is 'what the saga gave along; null: the row tells nobody';
comment on column adapter_steps.heard is 'what was heard of the key: for each source its word';

create index adapter_steps_untold on adapter_steps (partner, key) where untold;

create function adapter_steps_leave_untold() returns trigger language plpgsql as $$ begin
    if tg_op = 'INSERT' or (new.status, new.note) is distinct from (old.status, old.note) then
        new.seq := new.seq + 1;
        new.untold := true;
    end if;
    return new;
end $$;

-- A change of a row is one of its status, or its first note.
create trigger leave_untold before insert or update of status, note on adapter_steps
    for each row when (new.status is not null and new.note is not null)
    execute function adapter_steps_leave_untold();

-- migrate:down
drop table adapter_steps;
drop function adapter_steps_leave_untold;
