package integration

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// mariadb is MariaDB.
type mariadb struct{ server, installer string }

func (*mariadb) accounts() []string  { return []string{"mysql", "nobody"} }
func (*mariadb) anyDatabase() string { return "" }

func (*mariadb) stops() (orderly, immediate syscall.Signal) { return sigTerminate, sigKill }

// seed makes the system tables together with all accounts. Nothing of that is in a binary log, so the
// first GTID is the first write of a test, and copies of the seed agree without replication.
func (m *mariadb) seed(ctx context.Context, c *Cluster) error {
	data := c.workspace.path(seedDir)
	accounts := c.workspace.path(scratchDir, "accounts.sql")
	if err := c.workspace.write(accounts, mariadbAccounts(c)); err != nil {
		return err
	}
	// Its name in a message would show nothing; its content must not stay.
	defer func() { _ = os.Remove(accounts) }()
	return c.runCommand(ctx, m.installer, "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
		"--extra-file="+accounts, mariadbLogSize,
		"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0")
}

// The redo log is part of every copy of the seed.
const mariadbLogSize = "--innodb-log-file-size=16M"

func mariadbAccounts(c *Cluster) string {
	account := func(user string, password secret) string {
		return fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY %s;\n", user, quoteMariaDB(password.reveal()))
	}
	return "FLUSH PRIVILEGES;\n" +
		"DELETE FROM mysql.global_priv WHERE User IN ('', 'root');\n" + // they would need no password
		"FLUSH PRIVILEGES;\n" +
		account(adminUser, c.admin) + account(appUser, c.options.password) + account(replicaUser, c.replicate) +
		"GRANT ALL PRIVILEGES ON *.* TO " + adminUser + "@'%' WITH GRANT OPTION;\n" +
		"GRANT ALL PRIVILEGES ON " + appDatabase + ".* TO " + appUser + "@'%';\n" +
		"GRANT REPLICATION SLAVE ON *.* TO " + replicaUser + "@'%';\n" +
		"CREATE DATABASE " + appDatabase + " CHARACTER SET utf8mb4;\n"
}

// configure does nothing: command has all settings.
func (*mariadb) configure(*Server) error { return nil }

// populate does nothing: the seed has everything.
func (*mariadb) populate(context.Context, *Cluster) error { return nil }

func (m *mariadb) command(s *Server) (string, []string) {
	w := s.cluster.workspace
	args := []string{
		"--no-defaults",
		"--datadir=" + s.dataPath(),
		"--socket=" + m.socketPath(s),
		"--pid-file=" + filepath.Join(s.dir, "pid"),
		"--tmpdir=" + w.path(scratchDir),
		"--bind-address=127.0.0.1",
		"--port=" + strconv.Itoa(s.Port()),
		"--server-id=" + strconv.FormatInt(s.id.Load(), 10),
		"--log-bin=binlog", "--relay-log=relay", "--report-host=" + s.name,
	}
	args = append(args, mariadbSettings...)
	if s.following() != nil {
		args = append(args, "--read-only=1")
	}
	if s.cluster.options.tls {
		args = append(args, "--ssl-ca="+w.path(caFile),
			"--ssl-cert="+w.path(serverCertFile), "--ssl-key="+w.path(serverKeyFile))
	}
	for _, set := range s.cluster.options.settings {
		args = append(args, "--"+set.name+"="+set.value)
	}
	return m.server, args
}

var mariadbSettings = []string{
	"--skip-name-resolve",
	"--max-connections=200",
	"--character-set-server=utf8mb4",
	"--default-time-zone=+00:00",
	"--innodb-buffer-pool-size=32M", mariadbLogSize,
	// Never wait for the disk; but hand each commit to the kernel, so that it survives Kill.
	"--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0",
	"--innodb-flush-method=nosync", "--innodb-doublewrite=0",
	// Replicate by GTID, and let a promoted replica hand on what it has got.
	"--binlog-format=ROW", "--log-slave-updates=1", "--gtid-strict-mode=1",
	// A replica that is killed may leave half an event in its relay log: it fetches anew what it lacks.
	"--relay-log-recovery=1",
}

func (*mariadb) portTaken(log string) bool { return strings.Contains(log, "Bind on TCP/IP port") }

// afterKill removes the socket: a connection to it would not be refused in the usual way.
func (m *mariadb) afterKill(s *Server) { _ = os.Remove(m.socketPath(s)) }

func (*mariadb) uri(s *Server, user string, password secret) string {
	u := url.URL{Scheme: "mariadb", User: url.UserPassword(user, password.reveal()), Host: s.Addr(), Path: "/" + appDatabase}
	return u.String()
}

func (m *mariadb) socketURI(s *Server) string {
	q := url.Values{"socket": {m.socketPath(s)}}
	return "mariadb://" + url.UserPassword(appUser, s.cluster.options.password.reveal()).String() +
		"@/" + appDatabase + "?" + q.Encode()
}

func (*mariadb) socketPath(s *Server) string {
	return filepath.Join(s.SocketDir(), s.name+".sock")
}

func (m *mariadb) connector(_ context.Context, s *Server, database string) driver.Connector {
	conf := mysql.NewConfig()
	conf.Net, conf.Addr = "unix", m.socketPath(s)
	conf.User, conf.Passwd = adminUser, s.cluster.admin.reveal()
	conf.DBName = database
	conf.MultiStatements = true
	conf.Logger = &mysql.NopLogger{} // errors are returned; a server that starts is asked too early
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		panic(err) // the configuration is ours
	}
	return connector
}

// quoteMariaDB makes a string literal in the default sql_mode.
func quoteMariaDB(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}
