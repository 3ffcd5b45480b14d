#!/usr/bin/env bash
# PostgreSQL has a function charge(): it is the >= of the type "char" (char, greater or equal). Its brothers are charlt, charle,
# chargt, chareq and charne. So a list of "the server's own functions", made from pg_catalog, says that SELECT charge(7) calls one
# of those, though it calls the application's. And an application's charge("char", "char") is never called: pg_catalog is searched first,
# CREATE FUNCTION says nothing, and the call answers a comparison.
#
# Seen on PostgreSQL 18.6. Runs without bindery; needs Linux on amd64, and what scripts/servers.sh needs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/finding-XXXXXX)
trap '[ ! -e "$work/s/data/postmaster.pid" ] || kill "$(head -n 1 "$work/s/data/postmaster.pid")"; wait 2>/dev/null; rm -rf "$work"' EXIT
chmod 755 "$work"

BINDERY_SERVERS=$work/servers "$here/../scripts/servers.sh" postgres-18 >/dev/null
bin=$work/servers/postgres-18/usr/lib/postgresql/18/bin
version=$("$bin/postgres" --version | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
echo "PostgreSQL $version"
[ "$version" = 18.6 ] || { echo "another version than the one this was seen on: look again"; exit 1; }

as=()
mkdir "$work/s"
if [ "$(id -u)" = 0 ]; then
  chown nobody "$work/s"
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
"${as[@]}" "$bin/initdb" -D "$work/s/data" -U app --no-sync >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$work/s/data" -l "$work/s/log" -w -o "-c listen_addresses= -c unix_socket_directories=$work/s" start >/dev/null

ask() { "$bin/psql" -h "$work/s" -U app -d postgres -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
seen=$(
  ask "SELECT proname || ' ' || pg_get_function_arguments(oid) || ': ' || obj_description(oid, 'pg_proc') FROM pg_proc WHERE proname = 'charge'"
  ask "CREATE FUNCTION charge(cents int) RETURNS text LANGUAGE sql AS \$\$ SELECT 'the application charged ' || cents \$\$;
    CREATE FUNCTION charge(a \"char\", b \"char\") RETURNS text LANGUAGE sql AS \$\$ SELECT 'the application was called' \$\$"
  ask "SELECT charge(7)"
  ask "SELECT charge('b'::\"char\", 'a'::\"char\")"
)
echo "$seen"
[ "$seen" = 'charge "char", "char": implementation of >= operator
the application charged 7
t' ] || { echo "it behaves otherwise now"; exit 1; }
