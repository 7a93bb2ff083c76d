-- migrate:up
create table trip_events (
    trip_id text not null references trips on delete cascade,
    version bigint not null,
    trip    json not null,
    at      timestamptz not null default now(),
    primary key (trip_id, version)
);
comment on table trip_events is 'each state that a trip''s record has had, written in the statement that writes the record';

insert into trip_events (trip_id, version, trip, at) select trip_id, version, trip, updated_at from trips;

-- migrate:down
drop table trip_events;
