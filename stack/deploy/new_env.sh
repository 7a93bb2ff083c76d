#!/bin/sh
# Writes .env from the example, with passwords and keys of its own. Replaces none that is there.
set -eu
cd "$(dirname "$0")/../.."
umask 077

if [ -e .env ]; then
    echo ".env is there already; move it away first, if its passwords are no longer in use" >&2
    exit 1
fi

password() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }

new=$(mktemp .env.XXXXXX)
trap 'rm -f "$new"' EXIT
while IFS= read -r line; do
    case $line in
        *_PASSWORD=) echo "$line$(password)" ;;
        TRIPS_SEAL_KEY=) echo "$line$(key)" ;;
        TRIPS_CODEC_KEYS=) echo "${line}first:$(key)" ;;
        *) printf '%s\n' "$line" ;;
    esac
done < stack/deploy/env.example > "$new"
# Fails if another run was faster.
ln "$new" .env
echo ".env is written"
