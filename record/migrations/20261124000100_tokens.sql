-- migrate:up
create table tokens (
    token_id   text primary key,
    tenant     text not null,
    scope      text not null check (scope in ('traveller', 'operator')),
    name       text not null,
    hash       bytea not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
comment on column tokens.token_id is 'the part of the token before its dot, which is no secret';
comment on column tokens.hash is 'SHA-256 of the part after the dot: 256 random bits, which need no salt';

create index tokens_newest on tokens (tenant, created_at desc, token_id);

-- migrate:down
drop table tokens;
