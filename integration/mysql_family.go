package integration

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlFamily is what MariaDB and MySQL have in common.
type mysqlFamily struct {
	scheme string // of URIs
	words  replicationWords
}

func (mysqlFamily) accounts() []string  { return []string{"mysql", "nobody"} }
func (mysqlFamily) anyDatabase() string { return "" }

func (mysqlFamily) stops() (orderly, immediate syscall.Signal) { return sigTerminate, sigKill }

// configure does nothing: command has all settings.
func (mysqlFamily) configure(*Server) error { return nil }

func (mysqlFamily) portTaken(log string) bool { return strings.Contains(log, "Bind on TCP/IP port") }

// afterKill removes the socket, since a connection to it would not be refused in the usual way, and MySQL's
// lock on it, whose process number may be another program's when the server starts again.
func (m mysqlFamily) afterKill(s *Server) {
	_ = s.cluster.workspace.removeInside(m.socketPath(s))
	_ = s.cluster.workspace.removeInside(m.socketPath(s) + ".lock")
}

func (m mysqlFamily) uri(s *Server, user string, password secret) string {
	u := url.URL{Scheme: m.scheme, User: url.UserPassword(user, password.reveal()), Host: s.Addr(), Path: "/" + appDatabase}
	return u.String()
}

func (m mysqlFamily) socketURI(s *Server) string {
	q := url.Values{"socket": {m.socketPath(s)}}
	return m.scheme + "://" + url.UserPassword(appUser, s.cluster.options.password.reveal()).String() +
		"@/" + appDatabase + "?" + q.Encode()
}

func (mysqlFamily) socketPath(s *Server) string {
	return filepath.Join(s.SocketDir(), s.name+".sock")
}

func (m mysqlFamily) connector(_ context.Context, s *Server, database string) driver.Connector {
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

// seedAccounts writes the statements that make all accounts into a file for the time that make takes: its name in
// a message would show nothing; its content must not stay.
func (c *Cluster) seedAccounts(ctx context.Context, program, statements string, make func(file string) error) error {
	return c.makeSeed(ctx, []string{program, statements}, func() error {
		file := c.workspace.path(scratchDir, "accounts.sql")
		if err := c.workspace.write(file, statements); err != nil {
			return err
		}
		defer func() { _ = c.workspace.removeInside(file) }()
		return make(file)
	}, nil)
}

// accountStatements makes the accounts and the database.
func (mysqlFamily) accountStatements(c *Cluster) string {
	account := func(user string, password secret) string {
		return fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY %s;\n", user, quoteMySQL(password.reveal()))
	}
	return account(adminUser, c.admin) + account(appUser, c.options.password) + account(replicaUser, c.replicate) +
		"GRANT ALL PRIVILEGES ON *.* TO " + adminUser + "@'%' WITH GRANT OPTION;\n" +
		"GRANT ALL PRIVILEGES ON " + appDatabase + ".* TO " + appUser + "@'%';\n" +
		"GRANT REPLICATION SLAVE ON *.* TO " + replicaUser + "@'%';\n" +
		"CREATE DATABASE " + appDatabase + " CHARACTER SET utf8mb4;\n"
}

// netTimeout is how long a replica waits for its primary's answer before it connects anew.
const netTimeout = 5 * time.Second

// arguments are those that both products know.
func (m mysqlFamily) arguments(s *Server) []string {
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
		"--log-bin=binlog", "--relay-log=relay",
		"--skip-name-resolve",
		"--max-connections=200",
		"--character-set-server=utf8mb4",
		"--default-time-zone=+00:00",
		"--innodb-buffer-pool-size=32M",
		// Never wait for the disk; but hand each commit to the kernel, so that it survives Kill.
		"--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0",
		"--innodb-flush-method=nosync", "--innodb-doublewrite=0",
		// A replica that is killed may leave half an event in its relay log: it fetches anew what it lacks.
		"--relay-log-recovery=1",
		// One that is stopped while it connects to a primary that hangs waits for that, 60 seconds by default.
		fmt.Sprintf("--%s-net-timeout=%d", strings.ToLower(m.words.replica), int(netTimeout.Seconds())),
	}
	if s.cluster.options.tls {
		args = append(args, "--ssl-ca="+w.path(caFile),
			"--ssl-cert="+w.path(serverCertFile), "--ssl-key="+w.path(serverKeyFile))
	}
	return args
}

// chosen appends the settings of the caller, which win.
func (mysqlFamily) chosen(s *Server, args []string) []string {
	for _, set := range s.cluster.options.settings {
		args = append(args, "--"+set.name+"="+set.value)
	}
	return args
}

// quoteMySQL makes a string literal in the default sql_mode.
func quoteMySQL(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}
