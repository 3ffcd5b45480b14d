package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
type PgBouncer struct{ pooler }

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
	return forTest(t, b, err)
}

// NewPgBouncer is [StartPgBouncer] for programs. The caller must close it, before the cluster. The error is a
// [*MissingServerError] if PgBouncer is not installed.
func NewPgBouncer(ctx context.Context, s *Server, o PgBouncerOptions) (*PgBouncer, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	if _, ok := s.cluster.system.(*postgres); !ok {
		return nil, errors.New("integration: PgBouncer works with PostgreSQL only")
	}
	b := &PgBouncer{pooler{server: s, name: "PgBouncer", program: o.Program, find: findPgBouncers}}
	err := b.start(ctx, func() ([]string, error) {
		c, conf := s.cluster, filepath.Join(b.dir, "pgbouncer.ini")
		return []string{conf}, errors.Join(
			c.workspace.write(filepath.Join(b.dir, "users.txt"), loginOf(appUser, c.options.password)+loginOf(adminUser, c.admin)),
			c.workspace.write(conf, b.configuration(o)))
	})
	if err != nil {
		return nil, err
	}
	return b, nil
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

// RequirePgBouncers returns what [PgBouncers] does. Without any the test is not run: it says so, and how to install one.
func RequirePgBouncers(t testing.TB) []string {
	t.Helper()
	return requirePoolers(t, findPgBouncers)
}
