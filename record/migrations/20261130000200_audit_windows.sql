-- migrate:up
create table audit_places (
    what  text primary key,
    place text not null
);
comment on table audit_places is 'how far the audit in windows has come in each thing that it goes through';

create table audit_tallies (
    turn    text not null check (turn in ('now', 'next')),
    partner text not null,
    row     text not null,
    units   bigint not null,
    primary key (turn, partner, row)
);
comment on table audit_tallies is
    'what the trips that the audit has gone through have confirmed: units of each row of stock, points, minor units of each currency';
comment on column audit_tallies.turn is 'next: counted anew, trip by trip; takes the place of now when it has come through';

create table audit_doubts (
    subject text primary key,
    in_now  boolean not null,
    in_next boolean not null
);
comment on table audit_doubts is 'trips and keys that the audit found wrong, or not at rest: each audit in windows looks at them again';
comment on column audit_doubts.in_now is 'whether what it has confirmed is in the tallies of that turn';

-- migrate:down
drop table audit_doubts;
drop table audit_tallies;
drop table audit_places;
