-- migrate:up
create type sending as enum ('begun', 'barred');
alter table trips add column sending sending;
comment on column trips.sending is 'begun: calls to partners may have been sent; barred: none was, and none will be';

-- migrate:down
alter table trips drop column sending;
drop type sending;
