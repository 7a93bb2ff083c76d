#!/bin/sh
# Brings Temporal's two databases to the schema of this version of the server. Safe to repeat. The server's
# address, user and password come from SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD and SQL_PLUGIN.
set -eu

versions=/etc/temporal/schema/postgresql/v12

bring_up() {
    temporal-sql-tool --db "$1" setup-schema --version 0.0
    temporal-sql-tool --db "$1" update-schema --schema-dir "$2"
}

bring_up temporal "$versions/temporal/versioned"
bring_up temporal_visibility "$versions/visibility/versioned"
