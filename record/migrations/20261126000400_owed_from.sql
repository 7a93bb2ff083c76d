-- migrate:up
alter table trips add column owed_from timestamptz not null default now();
comment on column trips.owed_from is
    'from when on any front door may claim the start; until then one that has claimed it is at it, or it steps aside';

drop index trips_backlog;
create index trips_owed on trips (tenant, owed_from) where started_at is null;

-- migrate:down
drop index trips_owed;
create index trips_backlog on trips (created_at) where started_at is null;
alter table trips drop column owed_from;
