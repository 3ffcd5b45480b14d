#!/usr/bin/env bash
# MySQL 9.7 (Debian's build) answers MD5(), SHA() and SHA1() with "FUNCTION does not exist" (1305), or, in a session without
# a database, with "No database selected" (1046), which sends one looking elsewhere: they have moved to a component,
# component_classic_hashing, that a new server does not load. SHA2() is still built in. An application that
# keys its cache rows, shards or checksums by MD5() stops here. INSTALL COMPONENT brings them back, for an account that may.
#
# Seen on MySQL 9.7.4. Runs without bindery; needs Linux on amd64, apt's archive of Debian, and Go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/finding-XXXXXX)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
chmod 755 "$work"

BINDERY_SERVERS=$work/servers "$here/../scripts/servers.sh" mysql-9.7 >/dev/null
mysqld=$work/servers/mysql-9.7/usr/sbin/mysqld
version=$("$mysqld" --no-defaults --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
echo "MySQL $version"
[ "$version" = 9.7.4 ] || { echo "another version than the one this was seen on: look again"; exit 1; }

as=()
if [ "$(id -u)" = 0 ]; then
  mkdir "$work/data-dir" && chown nobody "$work/data-dir"
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
else
  mkdir "$work/data-dir"
fi
run=("${as[@]}" "$mysqld" --no-defaults "--datadir=$work/data-dir/data" --secure-file-priv=)
"${run[@]}" --initialize-insecure --skip-log-bin 2>"$work/log" || { tail "$work/log"; exit 1; }
"${run[@]}" --skip-networking --mysqlx=OFF "--socket=$work/data-dir/s" "--pid-file=$work/data-dir/pid" 2>>"$work/log" &
server=$!

mkdir "$work/ask" && cd "$work/ask"
cat >main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
)

func main() {
	db, err := sql.Open("mysql", "root@unix("+os.Args[1]+")/"+os.Args[2])
	for end := time.Now().Add(time.Minute); err == nil && db.Ping() != nil && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	for _, q := range os.Args[3:] {
		var answer string
		if _, err := db.Exec(q); strings.HasPrefix(q, "INSTALL") {
			fmt.Println(q, err)
			continue
		}
		if err := db.QueryRow(q).Scan(&answer); err != nil {
			answer = err.Error()
		}
		fmt.Printf("%s = %.60s\n", q, answer)
	}
}
GO
{
  go mod init ask
  go get github.com/go-sql-driver/mysql@v1.10.1
} >"$work/go.log" 2>&1 || { cat "$work/go.log"; exit 1; }
{
  go run . "$work/data-dir/s" '' "SELECT MD5('a')"
  go run . "$work/data-dir/s" mysql "SELECT MD5('a')" "SELECT SHA1('a')" "SELECT SHA2('a', 256)" \
    "INSTALL COMPONENT 'file://component_classic_hashing'" "SELECT MD5('a')"
} | tee "$work/seen"
diff "$work/seen" - <<'TEXT'
SELECT MD5('a') = Error 1046 (3D000): No database selected
SELECT MD5('a') = Error 1305 (42000): FUNCTION mysql.MD5 does not exist
SELECT SHA1('a') = Error 1305 (42000): FUNCTION mysql.SHA1 does not exist
SELECT SHA2('a', 256) = ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee
INSTALL COMPONENT 'file://component_classic_hashing' <nil>
SELECT MD5('a') = 0cc175b9c0f1b6a831c399e269772661
TEXT
echo "as described"
