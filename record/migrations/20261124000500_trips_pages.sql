-- migrate:up
-- A page of the list is a stretch of one of these, read backwards.
drop index trips_newest;
drop index trips_by_status;
create index trips_newest on trips (tenant, created_at, trip_id);
create index trips_by_status on trips (tenant, status, created_at, trip_id);
-- The status at the end is compared in the index, so that no row is read for nothing.
create index trips_by_email on trips (
    tenant, lower(booking -> 'order' -> 'traveller' ->> 'email'), created_at, trip_id, status
);

-- migrate:down
drop index trips_by_email;
drop index trips_by_status;
drop index trips_newest;
create index trips_newest on trips (tenant, created_at desc, trip_id desc);
create index trips_by_status on trips (tenant, status, created_at desc, trip_id desc);
