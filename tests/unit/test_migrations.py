"""What the check of migrations refuses, and what it lets through."""

from pathlib import Path

import pytest

from tests.migrations import checked, faults

UP = "-- migrate:up\n{}\n-- migrate:down\ndrop table trips;"
ALONE = "-- migrate:up transaction:false\n{}\n-- migrate:down\ndrop table trips;"

REFUSED = [
    "create index trips_by_age on trips (created_at);",
    "create unique index trips_once on trips (trip_id);",
    "create index concurrently trips_by_age on trips (created_at);",
    "drop index trips_by_age;",
    "drop table trips;",
    "alter table trips drop column facts;",
    "alter table trips rename column facts to heard;",
    "alter table trips rename to journeys;",
    "alter table trips alter column version type integer;",
    "alter table trips alter column version set data type integer;",
    "alter table trips alter column facts set not null;",
    "alter table trips add column seat text not null;",
    "alter table trips add column seat uuid default gen_random_uuid();",
    "alter table trips add constraint sound check (version > 0);",
    "alter table trips add foreign key (tenant) references tenants;",
    "update trips set facts = null;",
    "delete from trips where facts is null;",
    "truncate trip_events;",
    "vacuum full trips;",
]

TAKEN = [
    "alter table trips add column seat text;",
    "alter table trips add column seat text not null default 'aisle';",
    "alter table trips add column seat boolean not null default false, add column row text;",
    "alter table trips add constraint sound check (version > 0) not valid;",
    "create table seats (seat text primary key); create index seats_by_row on seats (seat);",
    "create table seats (seat text not null); insert into seats values ('1A'); update seats set seat = '1B';",
    "comment on table trips is 'drop table trips; update trips';",
    "create function f() returns int language sql as $$ delete from trips; select 1 $$;",
    "-- drop table trips;\nalter type sending add value 'later';",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_what_locks_or_takes_away_is_refused(statement: str) -> None:
    assert list(faults(UP.format(statement)))


@pytest.mark.parametrize("statement", TAKEN)
def test_what_only_adds_is_taken(statement: str) -> None:
    assert list(faults(UP.format(statement))) == []


def test_an_index_is_made_beside_the_writes_in_a_migration_of_its_own() -> None:
    index = "create index concurrently trips_by_age on trips (created_at);"
    assert list(faults(ALONE.format(index))) == []
    assert list(faults(ALONE.format(index * 2)))


@pytest.mark.parametrize("file", checked(), ids=lambda file: file.name)
def test_the_migrations_hold_to_it(file: Path) -> None:
    assert list(faults(file.read_text())) == []
