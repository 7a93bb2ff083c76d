-- migrate:up
-- A full queue of notices would fail the change of the breaker. Without a notice, workers read it in a second.
create or replace function breaker_notify(of_partner text) returns void language sql
as $$ select pg_notify('breaker_changes', of_partner) where pg_notification_queue_usage() < 0.9 $$;

-- migrate:down
create or replace function breaker_notify(of_partner text) returns void language sql
as $$ select pg_notify('breaker_changes', of_partner) $$;
