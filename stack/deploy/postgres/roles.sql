-- The roles, databases and schemas of the one PostgreSQL server. Run by psql as the superuser. It is safe to
-- repeat, and a changed password takes effect. Every NAME_DB_PASSWORD of the environment makes a role: `trips`
-- has the record, `temporal` its two databases, and each other one is a partner's, with a schema of its own.
\set ON_ERROR_STOP on
\set given `env | grep _DB_PASSWORD=`

create temporary table wanted as
select lower(split_part(line, '_DB_PASSWORD=', 1)) as name, split_part(line, '_DB_PASSWORD=', 2) as password
from unnest(string_to_array(:'given', E'\n')) as line;

select format('create role %I login', name)
from wanted where not exists (select from pg_roles where rolname = name)
\gexec

select format('alter role %I password %L', name, password) from wanted
\gexec

select format('create database %I owner %I', name, owner)
from (values ('trips', 'trips'), ('temporal', 'temporal'), ('temporal_visibility', 'temporal'))
    as databases (name, owner)
where not exists (select from pg_database where datname = name)
\gexec

select string_agg(format('create schema if not exists %1$I authorization %1$I;', name), ' ') as schemas
from wanted where name not in ('trips', 'temporal')
\gset

\connect trips
alter schema public owner to trips;
:schemas
