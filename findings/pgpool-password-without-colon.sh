#!/usr/bin/env bash
# Pgpool-II cannot log in for an account whose password holds a colon: a line of pool_passwd, "name:TEXTpassword", ends at the second one. The
# client is told "authentication failed", the log says that name or password do "not exist in backend", and psql with the same password and
# the server's own address gets in. The same file with another password works, "@", "/", "#" and "%" in it included.
#
# Seen on Pgpool-II 4.3.5 with PostgreSQL 17.12 and SCRAM. Runs without bindery; needs Linux on amd64, and what
# scripts/servers.sh needs.
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
printf 'secret\n' >"$work/first"
chmod 644 "$work/first"
"${as[@]}" "$bin/initdb" -D "$run/primary" -U app -A scram-sha-256 --pwfile="$work/first" --no-sync >/dev/null
start() { "${as[@]}" "$bin/pg_ctl" -D "$run/$1" -l "$run/$1.log" -w -o "-c listen_addresses=127.0.0.1 -p $2 -c unix_socket_directories=$run" start >/dev/null; }
start primary "${ports[0]}"
direct() { PGPASSWORD=$1 "$bin/psql" -h 127.0.0.1 -p "${ports[0]}" -U app -d postgres -XAtqc "$2"; }

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
backend_hostname0 = '127.0.0.1'
backend_port0 = ${ports[0]}
pool_passwd = '$run/pool_passwd'
sr_check_period = 0
sr_check_user = 'app'
sr_check_database = 'postgres'
TEXT
: >"$work/pcp.conf"
chmod 644 "$work"/*.conf
through() {
  local was=$1 password=$2
  direct "$was" "ALTER ROLE app PASSWORD '$password'"
  printf 'app:TEXT%s\n' "$password" >"$run/pool_passwd"
  chmod 644 "$run/pool_passwd"
  "${as[@]}" "$pgpool" -n -f "$work/pgpool.conf" -F "$work/pcp.conf" >"$work/log" 2>&1 &
  pooler=$!
  for _ in $(seq 300); do ! (: <"/dev/tcp/127.0.0.1/${ports[2]}") 2>/dev/null || break; sleep 0.1; done
  direct "$password" "SELECT 'directly'"
  PGPASSWORD=$password "$bin/psql" -h 127.0.0.1 -p "${ports[2]}" -U app -d postgres -XAtqc "SELECT 'through Pgpool-II'" 2>&1 | grep -oE 'through Pgpool-II|authentication failed' | head -n 1
  kill "$pooler"
  wait "$pooler" || true
  pooler=
}
seen=$(through secret 'p@ss/w#%'; through 'p@ss/w#%' 'p@ss:w')
echo "$seen"
[ "$seen" = 'directly
through Pgpool-II
directly
authentication failed' ] || { echo "it behaves otherwise now"; tail "$work/log"; exit 1; }
