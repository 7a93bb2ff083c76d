-- migrate:up
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

-- migrate:down
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
