package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// postgres is PostgreSQL.
type postgres struct{ bin string }

func (pg *postgres) program() (product, path string) {
	return "PostgreSQL", filepath.Join(pg.bin, "postgres")
}

func (*postgres) accounts() []string  { return []string{"postgres", "nobody"} }
func (*postgres) anyDatabase() string { return "postgres" }

// stops returns PostgreSQL's "fast" and "immediate" shutdown: manual, section 19.5.
func (*postgres) stops() (orderly, immediate syscall.Signal) { return sigInterrupt, sigQuit }

func (pg *postgres) seed(ctx context.Context, c *Cluster) error {
	data := c.workspace.path(seedDir)
	accounts, err := pg.accountStatements(c)
	if err != nil {
		return err
	}
	err = c.makeSeed(ctx, []string{pg.bin, accounts}, func() error {
		err := c.runCommand(ctx, filepath.Join(pg.bin, "initdb"), "--pgdata="+data,
			"--username="+adminUser, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
		if err != nil {
			return err
		}
		// One user alone, without a server: manual, "postgres", section "Single-User Mode".
		return c.runCommandWith(ctx, accounts, filepath.Join(pg.bin, "postgres"), "--single", "-D", data,
			"-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", // the log must not repeat a password
			"-c", "password_encryption=scram-sha-256", "-c", "fsync=off", "postgres")
	}, newIdentity)
	if err != nil {
		return err
	}
	if c.seed != nil {
		c.startFrom(c.seed().with("pg_hba.conf", postgresLogins, true).with("postgresql.conf", pg.settings(c), false))
		return nil
	}
	if err := c.workspace.write(filepath.Join(data, "pg_hba.conf"), postgresLogins); err != nil {
		return err
	}
	return c.workspace.appendTo(filepath.Join(data, "postgresql.conf"), pg.settings(c))
}

// postgresLogins is pg_hba.conf. Only this process and the servers may enter the sockets' directory,
// so the accounts that they themselves use need no password there.
const postgresLogins = `
local replication replicator              trust
local all         admin                   trust
local all         all                     scram-sha-256
host  all         all        127.0.0.1/32 scram-sha-256
`

func (pg *postgres) settings(c *Cluster) string {
	var text strings.Builder
	set := func(name, value string) {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(value))
	}
	for _, s := range postgresSettings {
		set(s.name, s.value)
	}
	if c.version.Major >= 13 {
		set("wal_keep_size", "256MB")
	} else {
		set("wal_keep_segments", "16") // of 16 MB
	}
	if n := c.options.sync; n > 0 {
		set("synchronous_standby_names", fmt.Sprintf("ANY %d (*)", n)) // a standby ignores it
	}
	if c.options.tls {
		set("ssl", "on")
		set("ssl_ca_file", c.workspace.path(caFile))
		set("ssl_cert_file", c.workspace.path(serverCertFile))
		set("ssl_key_file", c.workspace.path(serverKeyFile))
	}
	for _, s := range c.options.settings {
		set(s.name, s.value)
	}
	return "\n" + text.String()
}

var postgresSettings = []setting{
	{"listen_addresses", "127.0.0.1"},
	{"unix_socket_permissions", "0777"}, // the directory protects it
	{"password_encryption", "scram-sha-256"},
	{"max_connections", "200"},
	{"shared_buffers", "32MB"},
	{"dynamic_shared_memory_type", "mmap"}, // leaves nothing outside the data directory
	{"timezone", "UTC"},
	{"log_timezone", "UTC"},
	{"log_line_prefix", "%m [%p] %a "},
	// Never wait for the disk.
	{"fsync", "off"},
	{"full_page_writes", "off"},
	// Replicate, and reconnect at once: the default of 5 s makes a restart look like a hang.
	{"wal_level", "replica"},
	{"hot_standby", "on"},
	{"max_wal_senders", "10"},
	{"wal_receiver_status_interval", "1s"},
	{"wal_retrieve_retry_interval", "100ms"},
	{"recovery_target_timeline", "latest"},
}

// configure tells the server by standby.signal what it is. Whom a standby follows goes into
// postgresql.auto.conf, where ALTER SYSTEM changes it later.
func (pg *postgres) configure(s *Server) error {
	primary := s.following()
	if primary == nil {
		return nil // a promoted server has removed standby.signal itself
	}
	w := s.cluster.workspace
	if err := w.write(filepath.Join(s.dataPath(), "standby.signal"), ""); err != nil {
		return err
	}
	return w.appendTo(filepath.Join(s.dataPath(), "postgresql.auto.conf"),
		fmt.Sprintf("primary_conninfo = %s\n", quotePostgres(pg.conninfo(s, primary))))
}

// conninfo says how s connects to primary: over the socket, so that no password is written anywhere.
func (pg *postgres) conninfo(s, primary *Server) string {
	return fmt.Sprintf("host=%s port=%d user=%s application_name=%s",
		primary.SocketDir(), primary.Port(), replicaUser, s.name)
}

// accountStatements makes the accounts and the database, a statement in a line.
func (pg *postgres) accountStatements(c *Cluster) (string, error) {
	admin, err := scramSecret(c.admin.reveal())
	if err != nil {
		return "", err
	}
	app, err := scramSecret(c.options.password.reveal())
	return strings.Join([]string{
		fmt.Sprintf("ALTER ROLE %s PASSWORD %s", adminUser, quotePostgres(admin)),
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD %s", appUser, quotePostgres(app)),
		fmt.Sprintf("CREATE ROLE %s LOGIN REPLICATION", replicaUser),
		fmt.Sprintf("CREATE DATABASE %s OWNER %s", appDatabase, appUser),
	}, "\n") + "\n", err
}

func (pg *postgres) command(s *Server) (string, []string) {
	return filepath.Join(pg.bin, "postgres"), []string{
		"-D", s.dataPath(), "-p", strconv.Itoa(s.Port()), "-k", s.SocketDir(),
	}
}

func (*postgres) portTaken(log string) bool {
	return strings.Contains(log, "could not create any TCP/IP sockets")
}

// afterKill removes the shared memory segment and the lock files, whose process number may be another
// program's when the server starts again.
func (pg *postgres) afterKill(s *Server) {
	pidFile := filepath.Join(s.dataPath(), "postmaster.pid")
	w := s.cluster.workspace
	releaseSharedMemory(w.sharedMemory(pidFile), filepath.Dir(pidFile))
	_ = w.removeInside(pidFile)
	_ = w.removeInside(pg.socketPath(s))
	_ = w.removeInside(pg.socketPath(s) + ".lock")
}

// sharedMemory returns the segment that postmaster.pid names in its seventh line: key, then number.
func (w *workspace) sharedMemory(pidFile string) string {
	text, err := w.readInside(pidFile)
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 7 {
		return ""
	}
	fields := strings.Fields(lines[6])
	if len(fields) != 2 {
		return ""
	}
	return fields[1]
}

// releaseLeftMemory removes the segments of servers that died with their owner.
func (w *workspace) releaseLeftMemory() {
	pidFiles, _ := filepath.Glob(filepath.Join(w.dir, "*", dataDir, "postmaster.pid")) // well formed
	for _, pidFile := range pidFiles {
		releaseSharedMemory(w.sharedMemory(pidFile), filepath.Dir(pidFile))
	}
}

func (*postgres) uri(s *Server, user string, password secret) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password.reveal()),
		Host: s.Addr(), Path: "/" + appDatabase, RawQuery: "sslmode=disable"}
	return u.String()
}

func (*postgres) socketURI(s *Server) string {
	q := url.Values{"host": {s.SocketDir()}, "port": {strconv.Itoa(s.Port())}, "sslmode": {"disable"}}
	return "postgres://" + url.UserPassword(appUser, s.cluster.options.password.reveal()).String() +
		"@/" + appDatabase + "?" + q.Encode()
}

func (*postgres) socketPath(s *Server) string {
	return filepath.Join(s.SocketDir(), ".s.PGSQL."+strconv.Itoa(s.Port()))
}

func (pg *postgres) connector(ctx context.Context, s *Server, database string) driver.Connector {
	return pgdriver.NewConnector(
		pgdriver.WithNetwork("unix"), pgdriver.WithAddr(pg.socketPath(s)), pgdriver.WithInsecure(true),
		pgdriver.WithUser(adminUser), pgdriver.WithPassword(s.cluster.admin.reveal()), pgdriver.WithDatabase(database),
		pgdriver.WithReadTimeout(time.Hour), // ctx bounds the wait
		func(conf *pgdriver.Config) { conf.Dialer = breakWith(ctx) },
	)
}

// breakWith returns a dialer whose connections close when ctx ends: pgdriver by itself looks at a context's
// deadline only, and only before it waits.
func breakWith(ctx context.Context) func(context.Context, string, string) (net.Conn, error) {
	return func(dial context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(dial, network, addr)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
}

// quotePostgres makes a string literal. It relies on standard_conforming_strings.
func quotePostgres(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// queryBool runs a query whose only value is a boolean.
func (s *Server) queryBool(ctx context.Context, query string, args ...any) (ok bool, err error) {
	err = s.ask(ctx, s.cluster.system.anyDatabase(), "query", func(ctx context.Context, conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, query, args...).Scan(&ok)
	})
	return ok, err
}
