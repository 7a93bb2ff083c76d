-- migrate:up
alter table trips
    add column coordination text not null default 'orchestration',
    add column facts        json,
    add column due_at       timestamptz;
comment on column trips.coordination is 'who carries the trip to its end: orchestration is a workflow, choreography is the partners';
comment on column trips.facts is
    'what was heard of a choreographed trip; each message changes it, so no index and no predicate of one has it';
comment on column trips.due_at is 'when a choreographed trip has to be looked at; null: it has ended, or a workflow carries it';

create index trips_due on trips (due_at) where due_at is not null;

-- A coordinator that is away leaves many trips owed. They do not stand before those of the other.
drop index trips_owed;
create index trips_owed on trips (coordination, tenant, owed_from) where started_at is null;

create table trip_messages (
    trip_id    text not null references trips on delete cascade,
    message_id text not null,
    number     bigint generated always as identity,
    subject    text not null,
    source     text not null,
    at         timestamptz not null,
    heard_at   timestamptz not null default now(),
    body       json not null,
    primary key (trip_id, message_id)
);
comment on table trip_messages is 'what partners and the record have told of choreographed trips; what says nothing new leaves no row';
comment on column trip_messages.at is 'by the clock of who told it';
comment on column trip_messages.body is 'without what the order asks of partners, which has the sealed card token';

-- migrate:down
drop table trip_messages;
drop index trips_owed;
create index trips_owed on trips (tenant, owed_from) where started_at is null;
drop index trips_due;
alter table trips drop column due_at, drop column facts, drop column coordination;
