-- migrate:up
alter table trips add column ending json;
comment on column trips.ending is 'how a trip ends that is barred or undone, and why: set with that mark';
comment on column trips.version is 'grows by one with every write; an older one never overwrites';

-- migrate:down
alter table trips drop column ending;
