-- migrate:up
alter table trips
    add column ended_at  timestamptz,
    add column erased_at timestamptz;
comment on column trips.ended_at is 'when the final status was written';
comment on column trips.erased_at is 'when the traveller was taken out of the trip';
comment on column trips.booking is
    'the workflow''s input; kept, since another workflow may have to take the trip over; without its card token once the trip has ended';

-- The token stays valid text, so that any version reads the booking.
create function trips_end() returns trigger language plpgsql as $$ begin
    new.ended_at := now();
    new.booking := jsonb_set(new.booking::jsonb, '{order,payment,card_token}', '"gone"', false);
    return new;
end $$;

create trigger trips_end before update of status on trips
    for each row when (old.ended_at is null and new.status in ('confirmed', 'failed', 'cancelled'))
    execute function trips_end();

update trips set status = status where status in ('confirmed', 'failed', 'cancelled');
update trips set ended_at = updated_at where ended_at is not null;

-- What is kept for so long is found by its age.
create index trips_with_traveller on trips (ended_at) where erased_at is null and ended_at is not null;
create index trips_undone on trips (ended_at) where status in ('failed', 'cancelled');
create index trip_events_by_age on trip_events (at);
create index attempts_by_age on attempts (at);
create index trip_messages_by_age on trip_messages (heard_at);

-- A change of a row is one of its status, or its first note. A note that is only made shorter is none.
create or replace function adapter_steps_leave_untold() returns trigger language plpgsql as $$ begin
    if tg_op = 'INSERT' or (new.status, new.note is null) is distinct from (old.status, old.note is null) then
        new.seq := new.seq + 1;
        new.untold := true;
    end if;
    return new;
end $$;

-- migrate:down
create or replace function adapter_steps_leave_untold() returns trigger language plpgsql as $$ begin
    if tg_op = 'INSERT' or (new.status, new.note) is distinct from (old.status, old.note) then
        new.seq := new.seq + 1;
        new.untold := true;
    end if;
    return new;
end $$;
drop index trip_messages_by_age;
drop index attempts_by_age;
drop index trip_events_by_age;
drop trigger trips_end on trips;
drop function trips_end;
alter table trips drop column erased_at, drop column ended_at;
