-- migrate:up
create table tenant_members (
    tenant    text not null,
    member_id text not null,
    primary key (tenant, member_id)
);
comment on table tenant_members is 'whose points a tenant''s travellers may redeem, if TRIPS_MEMBERS is own';

-- migrate:down
drop table tenant_members;
