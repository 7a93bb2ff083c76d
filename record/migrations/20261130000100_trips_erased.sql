-- migrate:up transaction:false
-- With `trips_with_traveller`, every trip that has ended is in one of two indexes by its end.
create index concurrently trips_erased on trips (ended_at) where erased_at is not null and ended_at is not null;

-- migrate:down transaction:false
drop index concurrently trips_erased;
