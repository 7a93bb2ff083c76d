-- The breaker's rules inside the database, as they stand after all migrations. tests/guard/test_functions.py
-- compares them with a migrated database. To change a rule: change it here, put the whole function into a new
-- migration, and change the same rule in guard/policy.py and guard/local.py.
--
-- Tables and types are in record/migrations: `breakers` (a row for each partner), `breaker_window` (its calls,
-- in buckets), `breaker_events` (the log), `breaker_policy` (what callers send of guard.policy.BreakerPolicy).
-- Every change of a breaker first locks its row and then reads the clock. So its changes have one order.

-- The one clock of all breakers.
create or replace function breaker_now() returns timestamptz language sql volatile
as $$ select clock_timestamp() $$;

-- Seconds until `at`. 0 if `at` is past or null.
create or replace function breaker_left(at timestamptz) returns float8 language sql volatile
as $$ select coalesce(greatest(0, extract(epoch from at - breaker_now()))::float8, 0) $$;

-- Seconds to stay open for the `opens`-th time in a row, as guard.policy.next_open_s.
create or replace function breaker_open_s(p breaker_policy, opens integer, jitter float8) returns float8
language sql immutable as $$
    select case when opens <= 1 then p.open_s
           else p.open_s * least(p.max_open_factor, power(2::float8, least(opens - 1, 30))) * (1 + jitter) / 2 end
$$;

-- Whether a failed or slow call opens the breaker with these counts, as guard.policy.should_trip.
create or replace function breaker_should_trip(
    p breaker_policy, calls bigint, failures bigint, slow bigint, in_a_row bigint
) returns boolean language sql immutable as $$
    select in_a_row >= p.failures_in_a_row
        or (calls >= p.min_calls and failures + slow >= p.failure_rate * calls)
$$;

-- Failed or slow calls in a row after a batch of answers, as guard.policy.next_in_a_row.
create or replace function breaker_next_in_a_row(
    in_a_row bigint, new_calls bigint, new_failures bigint, new_slow bigint
) returns bigint language sql immutable
as $$ select case when new_failures + new_slow < new_calls then 0 else in_a_row + new_calls end $$;

-- The calls in the window that ends now.
create or replace function breaker_counts(
    of_partner text, window_s float8, out calls bigint, out failures bigint, out slow bigint
) language sql as $$
    select coalesce(sum(w.calls), 0), coalesce(sum(w.failures), 0), coalesce(sum(w.slow), 0)
    from breaker_window w
    where w.partner = of_partner and w.bucket > breaker_now() - make_interval(secs => window_s)
$$;

-- The partner's row, locked. If there is none, it is made: closed and empty.
create or replace function breaker_lock(of_partner text) returns breakers language plpgsql as $$
declare b breakers;
begin
    select * into b from breakers where partner = of_partner for update;
    if not found then
        insert into breakers (partner, updated_at) values (of_partner, breaker_now()) on conflict do nothing;
        select * into b from breakers where partner = of_partner for update;
    end if;
    return b;
end $$;

-- Writes the locked row.
create or replace function breaker_save(b breakers) returns breakers language plpgsql as $$
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

-- Tells every worker that the breaker has changed.
create or replace function breaker_notify(of_partner text) returns void language sql
as $$ select pg_notify('breaker_changes', of_partner) where pg_notification_queue_usage() < 0.9 $$;

-- Logs a change and tells every worker. The log keeps the last 1,000 changes of a partner.
create or replace function breaker_log(
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

-- Moves the locked breaker to another state.
create or replace function breaker_move(
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

-- Opens the locked breaker, for longer each time in a row.
create or replace function breaker_open(b breakers, cause text, p breaker_policy, jitter float8, reason text default null)
returns breakers language plpgsql as $$
begin
    b.consecutive_opens := b.consecutive_opens + 1;
    return breaker_move(
        b, 'open', breaker_now() + make_interval(secs => breaker_open_s(p, b.consecutive_opens, jitter)),
        cause, p, null, reason
    );
end $$;

-- Counts answers to calls that the closed breaker of version `of_version` let in. If one of them failed or was
-- slow, and the counts cross the threshold, the breaker opens. If the version is another one, nothing changes.
create or replace function breaker_record(
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
    if b.override is distinct from 'closed' and new_failures + new_slow > 0
        and breaker_should_trip(p, c.calls, c.failures, c.slow, in_a_row) then
        cause := case when in_a_row >= p.failures_in_a_row then 'failures_in_a_row' else 'failure_rate' end;
        return breaker_open(b, cause, p, jitter, error);
    end if;
    if is_news then
        return breaker_save(b);
    end if;
    return b;
end $$;

-- Gives the probe lease to `owner`, if the open time is over and no other lease runs. Then the answer is half
-- open, with that owner. The row is locked, so at most one caller wins.
create or replace function breaker_acquire_probe(of_partner text, owner text, policy jsonb)
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

-- Takes the answer of the probe whose lease has `of_version`. After half_open_calls successes in a row the
-- breaker closes. After a failure it opens again, for longer. `succeeded` null (a cancelled call) gives the
-- lease back.
create or replace function breaker_settle_probe(
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

-- Takes what a health check found. health_failures ill reports in a row open a closed breaker; an ill report
-- renews the open time of an open one. Healthy reports move an open breaker to half open: it takes as many in
-- a row as the breaker has opened in a row.
create or replace function breaker_report_health(
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

-- Takes a person's word over the breaker (null lifts it). 'closed' also closes the breaker beneath. 'open'
-- leaves the breaker beneath to the health checks, so that its state is true when the override is lifted.
create or replace function breaker_override(
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
