-- migrate:up
create table attempts (
    attempt_id bigint generated always as identity primary key,
    trip_id    text not null references trips on delete cascade,
    call_id    text not null,
    step       text not null,
    verb       text not null,
    attempt    integer not null,
    at         timestamptz not null,
    took_ms    bigint not null,
    outcome    text not null,
    error      text not null,
    next_at    timestamptz,
    unique (trip_id, call_id, step, attempt, outcome)
);
comment on table attempts is 'attempts of calls that did not succeed; those that did leave no row';
comment on column attempts.call_id is 'the activity: a call that the workflow asks for anew is another one';
comment on column attempts.took_ms is 'of an attempt put off time and again, from its first look to the end of its last';
comment on column attempts.next_at is 'when the next attempt is due; null: there is none';

create index attempts_of_trip on attempts (trip_id, at, attempt_id);

-- migrate:down
drop table attempts;
