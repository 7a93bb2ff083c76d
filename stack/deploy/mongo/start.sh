#!/usr/bin/env bash
# Starts MongoDB as a replica set of one, which transactions need. With passwords on, members prove
# themselves to each other by a key; there is one member, so each start makes a key of its own.
set -euo pipefail

key=/tmp/replica-set-key
rm -f "$key"
head -c 512 /dev/urandom | base64 --wrap=0 > "$key"
chown mongodb:mongodb "$key"
chmod 400 "$key"
exec docker-entrypoint.sh mongod --replSet trips --bind_ip_all --keyFile "$key"
