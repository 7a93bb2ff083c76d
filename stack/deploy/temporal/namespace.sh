#!/bin/sh
# Makes the namespace and the trips' search attributes in it, and waits until the server knows them.
# Safe to repeat. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE say where; RETENTION how long histories are kept.
set -eu

attempts=60

until_done() {
    left=$attempts
    until "$@" > /dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" -eq 0 ]; then
            echo "gave up after $attempts attempts: $*" >&2
            exec "$@"
        fi
        sleep 1
    done
}

# The command line gives up on a name that is not known yet, and keeps an address that is no longer the server's.
host=${TEMPORAL_ADDRESS%:*}
until_done getent hosts "$host"
TEMPORAL_ADDRESS=$(getent hosts "$host" | awk 'NR == 1 { print $1 }'):${TEMPORAL_ADDRESS##*:}
export TEMPORAL_ADDRESS

until_done temporal operator cluster health --command-timeout 5s
if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" > /dev/null 2>&1; then
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi
# A new namespace takes some seconds to be known everywhere.
for name in TripTenant TripStatus TripPartner; do
    until_done temporal operator search-attribute create --name "$name" --type Keyword --command-timeout 5s
    until_done temporal workflow list --query "$name = 'none'" --limit 1 --command-timeout 5s
done
echo "namespace $TEMPORAL_NAMESPACE is ready"
