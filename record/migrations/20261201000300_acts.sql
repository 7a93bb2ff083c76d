-- migrate:up
create table acts (
    act_id  bigint generated always as identity primary key,
    at      timestamptz not null default now(),
    tenant  text,
    who     text,
    subject text,
    action  text not null,
    target  text,
    outcome text not null check (outcome in ('done', 'refused', 'failed')),
    times   integer not null check (times > 0)
);
comment on table acts is 'who did or tried what: rows are added, and dropped when they are old, and never changed';
comment on column acts.tenant is 'of whoever acted; null if nobody knows, or for a command that is for all tenants';
comment on column acts.subject is 'the id of the stored token, or the sub of the signed one';
comment on column acts.times is 'how often it was done since the row before it of the same act, within about a minute';

create index acts_by_tenant on acts (tenant, act_id);
create index acts_by_age on acts (at);

create function acts_stay() returns trigger language plpgsql as $$ begin
    if tg_op = 'INSERT' then
        new.at := now();
        return new;
    end if;
    if tg_op = 'DELETE' and old.at < now() - interval '30 days' then
        return old;
    end if;
    raise exception 'acts are not changed, and not dropped within 30 days';
end $$;

create trigger acts_stay before insert or update or delete on acts for each row execute function acts_stay();
create trigger acts_are_not_emptied before truncate on acts for each statement execute function acts_stay();

-- migrate:down
drop table acts;
drop function acts_stay;
