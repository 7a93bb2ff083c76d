-- migrate:up
create table trips (
    trip_id         text primary key,
    tenant          text not null,
    idempotency_key text,
    body_hash       bytea not null,
    booking         json not null,
    trip            json not null,
    status          text not null,
    version         bigint not null default 0,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    started_at      timestamptz,
    unique (tenant, idempotency_key)
);
comment on column trips.booking is 'the workflow''s input, kept until it is known to have started';
comment on column trips.trip is 'the trip as the front door shows it';
comment on column trips.version is 'grows with every write of the workflow; an older one never overwrites';
comment on column trips.started_at is 'when the workflow was known to have started; null: its start is still owed';

create index trips_newest on trips (tenant, created_at desc, trip_id desc);
create index trips_by_status on trips (tenant, status, created_at desc, trip_id desc);
create index trips_backlog on trips (created_at) where started_at is null;

-- migrate:down
drop table trips;
