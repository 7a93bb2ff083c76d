-- The roles, databases and schemas of the one PostgreSQL server. Run by psql as the superuser; safe to
-- repeat, and a changed password takes effect.
\set ON_ERROR_STOP on
\getenv trips_password TRIPS_DB_PASSWORD
\getenv tour_password TOUR_DB_PASSWORD
\getenv payment_password PAYMENT_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD

select format('create role %I login', name)
from unnest(array['trips', 'tour', 'payment', 'temporal']) as name
where not exists (select from pg_roles where rolname = name)
\gexec

alter role trips password :'trips_password';
alter role tour password :'tour_password';
alter role payment password :'payment_password';
alter role temporal password :'temporal_password';

select format('create database %I owner %I', name, owner)
from (values ('trips', 'trips'), ('temporal', 'temporal'), ('temporal_visibility', 'temporal'))
    as wanted (name, owner)
where not exists (select from pg_database where datname = name)
\gexec

\connect trips
alter schema public owner to trips;
create schema if not exists tour authorization tour;
create schema if not exists payment authorization payment;
