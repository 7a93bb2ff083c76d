-- migrate:up

-- The breakers that the whole fleet shares: a row a partner. Every change goes through a function below,
-- which locks that one row first and then reads the clock, so changes to a breaker have one order.
create table breakers (
    partner           text primary key,
    state             text not null default 'closed' check (state in ('closed', 'open', 'half_open')),
    version           bigint not null default 1,  -- the fence: answers to calls of an older version are dropped
    open_until        timestamptz,                -- the TTL of an open breaker, null otherwise
    consecutive_opens integer not null default 0, -- since it was last closed
    probe_successes   integer not null default 0, -- in a row, while half open
    lease_owner       text,
    lease_until       timestamptz,
    failure_streak    bigint not null default 0,  -- failed or slow calls in a row, while closed
    health_streak     integer not null default 0, -- healthy reports in a row, ill ones as a negative number
    override          text check (override in ('open', 'closed')),
    override_reason   text,
    override_who      text,
    last_error        text,
    updated_at        timestamptz not null,
    check ((state = 'open') = (open_until is not null)),
    check (state = 'half_open' or lease_until is null)
);

create table breaker_window (
    partner  text not null,
    bucket   timestamptz not null, -- its start
    calls    bigint not null,
    failures bigint not null,
    slow     bigint not null,
    primary key (partner, bucket)
);

create table breaker_events (
    event_id   bigint generated always as identity primary key,
    partner    text not null,
    at         timestamptz not null,
    from_state text not null,
    to_state   text not null,
    cause      text not null,
    who        text,
    reason     text,
    calls      bigint not null,
    failures   bigint not null
);
create index breaker_events_of_partner on breaker_events (partner, event_id);

-- The part of guard.policy.BreakerPolicy that decides in here; callers send it with each call, as JSON.
create type breaker_policy as (
    window_s float8, min_calls integer, failure_rate float8, failures_in_a_row integer, open_s float8,
    max_open_factor float8, half_open_calls integer, probe_lease_s float8, health_failures integer
);

-- The one clock.
create function breaker_now() returns timestamptz language sql volatile
as $$ select clock_timestamp() $$;

-- Seconds until `at`, never negative; 0 for null.
create function breaker_left(at timestamptz) returns float8 language sql volatile
as $$ select coalesce(greatest(0, extract(epoch from at - breaker_now()))::float8, 0) $$;

-- The same formula as guard.policy.next_open_s.
create function breaker_open_s(p breaker_policy, opens integer, jitter float8) returns float8
language sql immutable as $$
    select case when opens <= 1 then p.open_s
           else p.open_s * least(p.max_open_factor, power(2::float8, least(opens - 1, 30))) * (1 + jitter) / 2 end
$$;

-- The same rule as guard.policy.should_trip.
create function breaker_should_trip(
    p breaker_policy, calls bigint, failures bigint, slow bigint, in_a_row bigint
) returns boolean language sql immutable as $$
    select in_a_row >= p.failures_in_a_row
        or (calls >= p.min_calls and failures + slow >= p.failure_rate * calls)
$$;

-- The same rule as guard.policy.next_in_a_row.
create function breaker_next_in_a_row(
    in_a_row bigint, new_calls bigint, new_failures bigint, new_slow bigint
) returns bigint language sql immutable
as $$ select case when new_failures + new_slow < new_calls then 0 else in_a_row + new_calls end $$;

create function breaker_counts(
    of_partner text, window_s float8, out calls bigint, out failures bigint, out slow bigint
) language sql as $$
    select coalesce(sum(w.calls), 0), coalesce(sum(w.failures), 0), coalesce(sum(w.slow), 0)
    from breaker_window w
    where w.partner = of_partner and w.bucket > breaker_now() - make_interval(secs => window_s)
$$;

create function breaker_lock(of_partner text) returns breakers language plpgsql as $$
declare b breakers;
begin
    select * into b from breakers where partner = of_partner for update;
    if not found then
        insert into breakers (partner, updated_at) values (of_partner, breaker_now()) on conflict do nothing;
        select * into b from breakers where partner = of_partner for update;
    end if;
    return b;
end $$;

create function breaker_save(b breakers) returns breakers language plpgsql as $$
begin
    b.updated_at := breaker_now();
    update breakers set
        state = b.state, version = b.version, open_until = b.open_until,
        consecutive_opens = b.consecutive_opens, probe_successes = b.probe_successes,
        lease_owner = b.lease_owner, lease_until = b.lease_until,
        failure_streak = b.failure_streak, health_streak = b.health_streak,
        override = b.override, override_reason = b.override_reason, override_who = b.override_who,
        last_error = b.last_error, updated_at = b.updated_at
    where partner = b.partner;
    return b;
end $$;

create function breaker_notify(of_partner text) returns void language sql
as $$ select pg_notify('breaker_changes', of_partner) $$;

-- Logs a change, keeps the last 1,000 of a partner, and tells every worker.
create function breaker_log(
    of_partner text, from_state text, to_state text, cause text, window_s float8, who text, reason text
) returns void language plpgsql as $$
begin
    insert into breaker_events (partner, at, from_state, to_state, cause, who, reason, calls, failures)
    select of_partner, breaker_now(), from_state, to_state, cause, who, reason, c.calls, c.failures
    from breaker_counts(of_partner, window_s) c;
    delete from breaker_events where partner = of_partner and event_id <= (
        select e.event_id from breaker_events e where e.partner = of_partner
        order by e.event_id desc offset 1000 limit 1
    );
    perform breaker_notify(of_partner);
end $$;

-- Moves the locked breaker `b` to another state: what every way there has in common.
create function breaker_move(
    b breakers, to_state text, until timestamptz, cause text, p breaker_policy,
    who text default null, reason text default null
) returns breakers language plpgsql as $$
begin
    perform breaker_log(b.partner, b.state, to_state, cause, p.window_s, who, reason);
    if to_state = 'closed' then
        delete from breaker_window where partner = b.partner;
        b.consecutive_opens := 0;
    end if;
    b.state := to_state;
    b.version := b.version + 1;
    b.open_until := until;
    b.probe_successes := 0;
    b.lease_owner := null;
    b.lease_until := null;
    b.failure_streak := 0;
    b.health_streak := 0;
    return breaker_save(b);
end $$;

create function breaker_open(b breakers, cause text, p breaker_policy, jitter float8, reason text default null)
returns breakers language plpgsql as $$
begin
    b.consecutive_opens := b.consecutive_opens + 1;
    return breaker_move(
        b, 'open', breaker_now() + make_interval(secs => breaker_open_s(p, b.consecutive_opens, jitter)),
        cause, p, null, reason
    );
end $$;

-- Counts answers of calls that a closed breaker of version `of_version` let in, and trips where they cross
-- the threshold.
create function breaker_record(
    of_partner text, of_version bigint, new_calls bigint, new_failures bigint, new_slow bigint,
    error text, policy jsonb, jitter float8
) returns breakers language plpgsql as $$
declare
    b breakers := breaker_lock(of_partner);
    p breaker_policy := jsonb_populate_record(null::breaker_policy, policy);
    at timestamptz := breaker_now();
    in_a_row bigint := breaker_next_in_a_row(b.failure_streak, new_calls, new_failures, new_slow);
    is_news boolean := error is not null or in_a_row <> b.failure_streak;
    cause text;
    c record;
begin
    if b.state <> 'closed' or b.version <> of_version then
        return b;
    end if;
    delete from breaker_window
    where partner = of_partner and bucket <= at - make_interval(secs => p.window_s);
    insert into breaker_window as w (partner, bucket, calls, failures, slow)
    values (of_partner, date_bin(make_interval(secs => p.window_s / 10), at, 'epoch'),
            new_calls, new_failures, new_slow)
    on conflict (partner, bucket) do update set
        calls = w.calls + new_calls, failures = w.failures + new_failures, slow = w.slow + new_slow;
    b.last_error := coalesce(error, b.last_error);
    b.failure_streak := in_a_row;
    c := breaker_counts(of_partner, p.window_s);
    if b.override is distinct from 'closed'
        and breaker_should_trip(p, c.calls, c.failures, c.slow, in_a_row) then
        cause := case when in_a_row >= p.failures_in_a_row then 'failures_in_a_row' else 'failure_rate' end;
        return breaker_open(b, cause, p, jitter, error);
    end if;
    if is_news then
        return breaker_save(b);
    end if;
    return b;
end $$;

-- Gives the probe lease to `owner` where the open time is over and no lease runs: then the answer is half
-- open with that owner. At most one wins, as the row is locked.
create function breaker_acquire_probe(of_partner text, owner text, policy jsonb)
returns breakers language plpgsql as $$
declare
    b breakers := breaker_lock(of_partner);
    p breaker_policy := jsonb_populate_record(null::breaker_policy, policy);
    at timestamptz := breaker_now();
begin
    if b.state = 'closed' or b.override is not null or b.open_until > at or b.lease_until > at then
        return b;
    end if;
    if b.state = 'open' then
        b := breaker_move(b, 'half_open', null, 'open_time_over', p);
    end if;
    b.version := b.version + 1;
    b.lease_owner := owner;
    b.lease_until := at + make_interval(secs => p.probe_lease_s);
    perform breaker_notify(of_partner);
    return breaker_save(b);
end $$;

-- The answer of the probe whose lease has `of_version`. Success closes after half_open_calls of them in a
-- row, failure opens again for longer; `succeeded` null (a cancelled call) gives the lease back.
create function breaker_settle_probe(
    of_partner text, of_version bigint, succeeded boolean, error text, policy jsonb, jitter float8
) returns breakers language plpgsql as $$
declare
    b breakers := breaker_lock(of_partner);
    p breaker_policy := jsonb_populate_record(null::breaker_policy, policy);
begin
    if b.state <> 'half_open' or b.version <> of_version then
        return b;
    end if;
    b.last_error := coalesce(error, b.last_error);
    if not succeeded then
        return breaker_open(b, 'probe_failed', p, jitter, error);
    end if;
    if succeeded and b.probe_successes + 1 >= p.half_open_calls then
        return breaker_move(b, 'closed', null, 'probe_succeeded', p);
    end if;
    b.probe_successes := b.probe_successes + coalesce(succeeded, false)::integer;
    b.version := b.version + 1;
    b.lease_owner := null;
    b.lease_until := null;
    perform breaker_notify(of_partner);
    return breaker_save(b);
end $$;

-- What a health check found. Ill reports in a row open a closed breaker and renew the TTL of an open one;
-- healthy ones let an open breaker go to half open, one more in a row being asked for after each failed probe.
create function breaker_report_health(
    of_partner text, healthy boolean, error text, policy jsonb, jitter float8
) returns breakers language plpgsql as $$
declare
    b breakers := breaker_lock(of_partner);
    p breaker_policy := jsonb_populate_record(null::breaker_policy, policy);
    at timestamptz := breaker_now();
begin
    if healthy then
        b.health_streak := greatest(b.health_streak, 0) + 1;
        if b.state = 'open' and b.health_streak >= b.consecutive_opens then
            return breaker_move(b, 'half_open', null, 'healthy', p);
        end if;
        return breaker_save(b);
    end if;
    b.health_streak := least(b.health_streak, 0) - 1;
    b.last_error := coalesce(error, b.last_error);
    if b.state = 'closed' and b.override is distinct from 'closed' and -b.health_streak >= p.health_failures then
        return breaker_open(b, 'ill', p, jitter, error);
    elsif b.state = 'open' then
        b.open_until := greatest(b.open_until, at + make_interval(secs => p.open_s));
        perform breaker_notify(of_partner);
    elsif b.state = 'half_open' and (b.lease_until > at) is not true then
        return breaker_move(b, 'open', at + make_interval(secs => p.open_s), 'ill', p, null, error);
    end if;
    return breaker_save(b);
end $$;

-- A person's word over the breaker. 'closed' closes it beneath as well; 'open' leaves what is beneath to the
-- health checks, so that lifting it finds a state that is true.
create function breaker_override(
    of_partner text, new_override text, who text, reason text, policy jsonb
) returns breakers language plpgsql as $$
declare
    b breakers := breaker_lock(of_partner);
    p breaker_policy := jsonb_populate_record(null::breaker_policy, policy);
    cause text := 'override_' || coalesce(new_override, 'lifted');
begin
    b.override := new_override;
    b.override_reason := case when new_override is not null then reason end;
    b.override_who := case when new_override is not null then who end;
    if new_override = 'closed' and b.state <> 'closed' then
        return breaker_move(b, 'closed', null, cause, p, who, reason);
    end if;
    perform breaker_log(of_partner, b.state, b.state, cause, p.window_s, who, reason);
    return breaker_save(b);
end $$;

-- migrate:down

drop function breaker_override, breaker_report_health, breaker_settle_probe, breaker_acquire_probe,
    breaker_record, breaker_open, breaker_move, breaker_log, breaker_notify, breaker_save, breaker_lock,
    breaker_counts, breaker_next_in_a_row, breaker_should_trip, breaker_open_s, breaker_left, breaker_now;
drop type breaker_policy;
drop table breaker_events, breaker_window, breakers;
