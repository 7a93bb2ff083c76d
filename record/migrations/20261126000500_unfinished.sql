-- migrate:up
create index trips_unfinished on trips (trip_id) where status not in ('confirmed', 'failed', 'cancelled');
comment on column trips.booking is 'the workflow''s input; kept, since another workflow may have to take the trip over';

create table leases (
    name  text primary key,
    until timestamptz not null
);
comment on table leases is 'work that one process of the fleet does at a time, until the lease is over';

-- migrate:down
drop table leases;
comment on column trips.booking is 'the workflow''s input, kept until it is known to have started';
drop index trips_unfinished;
