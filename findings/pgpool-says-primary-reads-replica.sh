#!/usr/bin/env bash
# A program that asks Pgpool-II "am I on the primary?" hears yes, and its next plain SELECT comes from a replica. Pgpool-II sends what calls
# a volatile function to the primary, and pg_is_in_recovery(), pg_current_wal_lsn() and pg_last_wal_replay_lsn() are volatile;
# current_setting(), pg_backend_pid() and inet_server_port() are only stable, so that these tell of a server that the session
# was given by chance. SELECT pg_backend_pid() and SELECT pg_backend_pid(), pg_is_in_recovery() return two numbers in one session. So no
# check of the role, and no position, says anything of what that session reads.
#
# Seen on Pgpool-II 4.3.5 with PostgreSQL 17.12 and default settings, the replica's weight 1 and the primary's 0. Runs without
# bindery; needs Linux on amd64, and what scripts/servers.sh needs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/finding-XXXXXX)
pooler=
stop() {
  [ -z "$pooler" ] || kill "$pooler" 2>/dev/null || true
  for file in "$work"/run/*/postmaster.pid; do [ ! -e "$file" ] || kill "$(head -n 1 "$file")"; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
chmod 755 "$work"

BINDERY_SERVERS=$work/servers "$here/../scripts/servers.sh" postgres-17 pgpool-4.3 >/dev/null
bin=$work/servers/postgres-17/usr/lib/postgresql/17/bin pgpool=$work/servers/pgpool-4.3/usr/sbin/pgpool
version="$("$bin/postgres" --version | grep -oE '[0-9]+\.[0-9]+' | head -n 1) $("$pgpool" --version 2>&1 | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')"
echo "PostgreSQL, Pgpool-II $version"
[ "$version" = '17.12 4.3.5' ] || { echo "other versions than those this was seen on: look again"; exit 1; }

as=()
mkdir "$work/run"
if [ "$(id -u)" = 0 ]; then
  chown nobody "$work/run"
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
run=$work/run first=$((20000 + RANDOM % 20000))
ports=("$first" $((first + 1)) $((first + 2)) $((first + 3)))
"${as[@]}" "$bin/initdb" -D "$run/primary" -U app -A trust --no-sync >/dev/null
start() { "${as[@]}" "$bin/pg_ctl" -D "$run/$1" -l "$run/$1.log" -w -o "-c listen_addresses=127.0.0.1 -p $2 -c unix_socket_directories=$run" start >/dev/null; }
start primary "${ports[0]}"
"${as[@]}" "$bin/pg_basebackup" -h 127.0.0.1 -p "${ports[0]}" -U app -D "$run/replica" -R -X stream -c fast --no-sync
start replica "${ports[1]}"

cat >"$work/pgpool.conf" <<TEXT
backend_clustering_mode = 'streaming_replication'
listen_addresses = '127.0.0.1'
port = ${ports[2]}
pcp_port = ${ports[3]}
unix_socket_directories = '$run'
socket_dir = '$run'
pcp_socket_dir = '$run'
pid_file_name = '$run/pgpool.pid'
logdir = '$run'
pool_passwd = ''
backend_hostname0 = '127.0.0.1'
backend_port0 = ${ports[0]}
backend_weight0 = 0
backend_hostname1 = '127.0.0.1'
backend_port1 = ${ports[1]}
backend_weight1 = 1
sr_check_user = 'app'
sr_check_database = 'postgres'
TEXT
: >"$work/pcp.conf"
chmod 644 "$work"/*.conf
"${as[@]}" "$pgpool" -n -f "$work/pgpool.conf" -F "$work/pcp.conf" >"$work/log" 2>&1 &
pooler=$!
for _ in $(seq 300); do ! grep -q 'primary node is' "$work/log" || ! (: <"/dev/tcp/127.0.0.1/${ports[2]}") 2>/dev/null || break; sleep 0.1; done

ask() { "$bin/psql" -h 127.0.0.1 -p "${ports[2]}" -U app -d postgres -XAtq "${@/#/--command=}"; }
seen=$(ask "SELECT pg_is_in_recovery()" "SELECT current_setting('transaction_read_only')" \
  "SELECT current_setting('port')" "SELECT current_setting('port'), pg_is_in_recovery()" | sed "s/${ports[0]}/primary/; s/${ports[1]}/replica/")
echo "$seen"
[ "$seen" = 'f
on
replica
primary|f' ] || { echo "it behaves otherwise now"; tail "$work/log"; exit 1; }
