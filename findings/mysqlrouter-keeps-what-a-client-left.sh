#!/usr/bin/env bash
# A client of MySQL Router that disconnects, in good order, in an open transaction leaves its row locks, and its named locks, behind: the
# router takes the server's session into its pool as it is (max_idle_server_connections, which a bootstrapped router sets to 64), and
# rolls nothing back until it gives the session to the next client, or drops it after five seconds. Another client waits for
# so long, or fails where it does not wait. By the server's own address both are free at once, since the session ends.
#
# Seen on MySQL Router 9.7.4 before MySQL 9.7.4. Runs without bindery; needs Linux on amd64, apt's archive of Debian, Python 3 and Go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/finding-XXXXXX)
started=()
trap '[ "${#started[@]}" = 0 ] || kill "${started[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
chmod 755 "$work"

BINDERY_SERVERS=$work/servers "$here/../scripts/servers.sh" mysql-9.7 mysqlrouter-9.7 >/dev/null
mysqld=$work/servers/mysql-9.7/usr/sbin/mysqld router=$work/servers/mysqlrouter-9.7/usr
version=$("$router/bin/mysqlrouter" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
echo "MySQL Router $version"
[ "$version" = 9.7.4 ] || { echo "another version than the one this was seen on: look again"; exit 1; }

as=()
mkdir "$work/data-dir"
if [ "$(id -u)" = 0 ]; then
  chown nobody "$work/data-dir"
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
direct=$(port) routed=$(port)
run=("${as[@]}" "$mysqld" --no-defaults "--datadir=$work/data-dir/data" --secure-file-priv=)
"${run[@]}" --initialize-insecure --skip-log-bin 2>"$work/log" || { tail "$work/log"; exit 1; }
"${run[@]}" --bind-address=127.0.0.1 "--port=$direct" --mysqlx=OFF "--socket=$work/data-dir/s" "--pid-file=$work/data-dir/pid" 2>>"$work/log" &
started+=($!)

cat >"$work/data-dir/router.conf" <<CONF
[DEFAULT]
plugin_folder = $router/lib/mysqlrouter/plugin
logging_folder =
max_idle_server_connections = 64
client_ssl_cert = $work/data-dir/data/server-cert.pem
client_ssl_key = $work/data-dir/data/server-key.pem
[routing:primary]
bind_address = 127.0.0.1
bind_port = $routed
destinations = 127.0.0.1:$direct
routing_strategy = first-available
protocol = classic
client_ssl_mode = PREFERRED
server_ssl_mode = PREFERRED
CONF
(cd "$work/data-dir" && exec "${as[@]}" "$router/bin/mysqlrouter" --config="$work/data-dir/router.conf") >>"$work/log" 2>&1 &
started+=($!)

mkdir "$work/ask" && cd "$work/ask"
cat >main.go <<'GO'
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"time"

	_ "github.com/go-sql-driver/mysql"
)

func open(port string) *sql.DB {
	db, err := sql.Open("mysql", "root@tcp(127.0.0.1:"+port+")/mysql?tls=skip-verify")
	for end := time.Now().Add(time.Minute); err == nil && db.Ping() != nil && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	must(err)
	return db
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// leave has a client take locks and disconnect, in good order, without an end of its transaction.
func leave(db *sql.DB) {
	conn, err := db.Conn(context.Background())
	must(err)
	for _, q := range []string{"DO GET_LOCK('report', 0)", "BEGIN", "UPDATE app.t SET v = v + 1"} {
		_, err = conn.ExecContext(context.Background(), q)
		must(err)
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // database/sql closes the connection: COM_QUIT
}

func main() {
	direct, router := open(os.Args[1]), open(os.Args[2])
	for _, q := range []string{"CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY, v INT)", "INSERT INTO app.t VALUES (1, 0)"} {
		_, err := direct.Exec(q)
		must(err)
	}
	for name, db := range map[string]*sql.DB{"a direct client": direct, "a client of the router": router} {
		leave(db)
		begun := time.Now()
		_, err := direct.Exec("UPDATE app.t SET v = v WHERE id = 1")
		must(err)
		row := time.Since(begun)
		var holder sql.NullInt64
		for must(direct.QueryRow("SELECT IS_USED_LOCK('report')").Scan(&holder)); holder.Valid; {
			time.Sleep(10 * time.Millisecond)
			must(direct.QueryRow("SELECT IS_USED_LOCK('report')").Scan(&holder))
		}
		fmt.Printf("%s left: its row is free after %.0f s, its named lock after %.0f s\n", name, row.Seconds(), time.Since(begun).Seconds())
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/go-sql-driver/mysql@v1.10.1 >/dev/null 2>&1
output=$(go run . "$direct" "$routed" | sort)
echo "$output"
expected='a client of the router left: its row is free after 5 s, its named lock after 5 s
a direct client left: its row is free after 0 s, its named lock after 0 s'
[ "$output" = "$expected" ] || { echo "it behaves otherwise now"; tail "$work/log"; exit 1; }
echo "as described"
