package integration

import (
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

// StartPgBouncer starts PgBouncer, version 1.18 or newer, in front of a PostgreSQL server. Settings are lines of its
// own configuration: "default_pool_size = 3". It is stopped when t and its subtests have ended; t fails if it does
// not start. The error of [NewPgBouncer] that it is not installed skips nothing: the caller decides.
func StartPgBouncer(t testing.TB, s *Server, mode PoolMode, settings ...string) *PgBouncer {
	t.Helper()
	b, err := NewPgBouncer(t.Context(), s, mode, settings...)
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
func NewPgBouncer(ctx context.Context, s *Server, mode PoolMode, settings ...string) (*PgBouncer, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	program, err := findPgBouncer()
	if err != nil {
		return nil, err
	}
	if _, ok := s.cluster.system.(*postgres); !ok {
		return nil, errors.New("integration: PgBouncer works with PostgreSQL only")
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
		err := b.launch(ctx, mode, settings)
		if err == nil {
			return b, nil
		}
		if attempt == portAttempts || !strings.Contains(b.Log(), "Address already in use") {
			return nil, errors.Join(fmt.Errorf("integration: start PgBouncer: %w\n%s", err, b.Log()), b.Close())
		}
	}
}

func (b *PgBouncer) launch(ctx context.Context, mode PoolMode, settings []string) (err error) {
	if b.port, err = choosePort(); err != nil {
		return err
	}
	c := b.server.cluster
	conf := filepath.Join(b.dir, "pgbouncer.ini")
	if err := c.workspace.write(filepath.Join(b.dir, "users.txt"),
		fmt.Sprintf("%q %q\n%q %q\n", appUser, c.options.password.reveal(), adminUser, c.admin.reveal())); err != nil {
		return err
	}
	if err := c.workspace.write(conf, b.configuration(mode, settings)); err != nil {
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

func (b *PgBouncer) configuration(mode PoolMode, settings []string) string {
	return fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
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
`, b.server.Port(), b.port.number, filepath.Join(b.dir, "users.txt"), mode, strings.Join(settings, "\n"))
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
