package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// PoolMode says for how long PgBouncer gives a client one connection to the server.
type PoolMode string

// The modes of PgBouncer: until the client disconnects, until its transaction ends, until its statement ends.
const (
	PoolSessions     PoolMode = "session"
	PoolTransactions PoolMode = "transaction"
	PoolStatements   PoolMode = "statement"
)

// A PgBouncer is a running pooler in front of one server of a [Cluster].
type PgBouncer struct {
	server  *Server
	dir     string
	program string
	port    port
	process *process
	version Version
}

// PgBouncerOptions say how a pooler runs.
type PgBouncerOptions struct {
	Mode     PoolMode // "" means PoolSessions
	Program  string   // one of [PgBouncers]; "" means the first
	Addr     string   // where it finds the server, if that is not the server's own: a proxy's; host:port
	Settings []string // further lines of its configuration: "default_pool_size = 3"
}

// PgBouncers returns the programs of PgBouncer that are found, the newest first of those that "make servers" has fetched,
// whatever else is installed before them. The error is a [*MissingServerError] if there is none.
func PgBouncers() ([]string, error) { return findPgBouncers() }

// StartPgBouncer starts PgBouncer, version 1.18 or newer, in front of a PostgreSQL server. It is stopped when t and its
// subtests have ended. T fails if it is not installed or does not start.
func StartPgBouncer(t testing.TB, s *Server, o PgBouncerOptions) *PgBouncer {
	t.Helper()
	b, err := NewPgBouncer(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// NewPgBouncer is [StartPgBouncer] for programs. The caller must close it, before the cluster. The error is a
// [*MissingServerError] if PgBouncer is not installed.
func NewPgBouncer(ctx context.Context, s *Server, o PgBouncerOptions) (*PgBouncer, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	if _, ok := s.cluster.system.(*postgres); !ok {
		return nil, errors.New("integration: PgBouncer works with PostgreSQL only")
	}
	program, err := o.Program, error(nil)
	if program == "" {
		programs, err := findPgBouncers()
		if err != nil {
			return nil, err
		}
		program = programs[0]
	}
	b := &PgBouncer{server: s, program: program}
	if b.version, err = programVersion(ctx, "PgBouncer", program); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp(s.cluster.workspace.dir, "pgbouncer-"); err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	if err := s.cluster.workspace.as.give(b.dir); err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	for attempt := 1; ; attempt++ {
		err := b.launch(ctx, o)
		if err == nil {
			return b, nil
		}
		if attempt == portAttempts || !strings.Contains(b.Log(), "Address already in use") {
			return nil, errors.Join(fmt.Errorf("integration: start PgBouncer: %w\n%s", err, b.Log()), b.Close())
		}
	}
}

func (b *PgBouncer) launch(ctx context.Context, o PgBouncerOptions) (err error) {
	if b.port, err = choosePort(); err != nil {
		return err
	}
	c := b.server.cluster
	conf := filepath.Join(b.dir, "pgbouncer.ini")
	if err := c.workspace.write(filepath.Join(b.dir, "users.txt"),
		loginOf(appUser, c.options.password)+loginOf(adminUser, c.admin)); err != nil {
		return err
	}
	if err := c.workspace.write(conf, b.configuration(o)); err != nil {
		return err
	}
	log, err := os.OpenFile(b.logPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the pooler has its own descriptor
	cmd := c.command(b.program, conf)
	cmd.Stdout, cmd.Stderr = log, log
	prepareFork(cmd, c.workspace.as, sigKill)
	if b.process, err = c.launcher.start(cmd); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		if !b.process.running() {
			return false, errors.New("it ended at once")
		}
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	})
}

func (b *PgBouncer) configuration(o PgBouncerOptions) string {
	host, port, _ := strings.Cut(cmp.Or(o.Addr, b.server.Addr()), ":")
	return fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = %s
max_client_conn = 500
ignore_startup_parameters = default_transaction_read_only
%s
`, host, port, b.port.number, filepath.Join(b.dir, "users.txt"), cmp.Or(o.Mode, PoolSessions), strings.Join(o.Settings, "\n"))
}

// loginOf is a line of the pooler's auth_file.
func loginOf(user string, password secret) string {
	return fmt.Sprintf("\"%s\" \"%s\"\n", user, strings.ReplaceAll(password.reveal(), `"`, `""`))
}

// Close ends it, and so every connection through it. It may be called twice.
func (b *PgBouncer) Close() error {
	if b.process == nil {
		return nil
	}
	ctx, cancel := within(context.Background())
	defer cancel()
	defer b.port.release()
	return b.process.endTree(ctx)
}

// Version returns what runs: 1.26.1.
func (b *PgBouncer) Version() Version { return b.version }

// Addr returns the address where it listens.
func (b *PgBouncer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port.number)) }

// URI returns the address of the server's database through the pooler, with the application's account and password.
func (b *PgBouncer) URI() string {
	u, _ := url.Parse(b.server.URI()) // ours
	u.Host = b.Addr()
	return u.String()
}

// Log returns the end of its log.
func (b *PgBouncer) Log() string { return tail(b.logPath(), 0) }

func (b *PgBouncer) logPath() string { return filepath.Join(b.dir, logFile) }

// RequirePgBouncers returns what [PgBouncers] does. Without any the test is not run: it says so, and how to install one.
func RequirePgBouncers(t testing.TB) []string {
	t.Helper()
	programs, err := PgBouncers()
	if err != nil {
		t.Skipf("not run: %v", err)
	}
	return programs
}
