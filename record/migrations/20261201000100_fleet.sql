-- migrate:up
alter table tokens add column fleet boolean not null default false;
comment on column tokens.fleet is 'whether the token may do what concerns all tenants: breakers, lab, dead letters, codec';

-- migrate:down
alter table tokens drop column fleet;
