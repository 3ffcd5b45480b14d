package pgbind

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
)

// secret needs every escape that a password may need.
const secret = `Gr8: p@ss/w?rd#%&+=;'"\ü`

// cluster is a primary and a hot standby with TLS; admin is a pool of one on the primary.
var (
	cluster *integration.Cluster
	admin   *sql.DB
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	var err error
	cluster, err = integration.NewPostgres(context.Background(), 1,
		integration.WithTLS(),
		integration.WithPassword(secret),
		integration.WithSetting("max_prepared_transactions", "5"),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	e, err := binds.Open(context.Background(), "test/admin", cluster.Primary.AdminURI(), binds.WithPool(binds.Pool{MaxOpen: 1}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	admin = e.DB()
	code = m.Run()
	if err := errors.Join(e.Close(), cluster.Close(), goleak.Find()); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// open opens an engine that the test's end closes.
func open(t *testing.T, uri string, opts ...binds.OpenOption) *binds.Engine {
	t.Helper()
	e, err := binds.Open(t.Context(), "test/engine", uri, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

// with adds parameters to a URI, in place of those it has.
func with(t *testing.T, uri string, nameValues ...string) string {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	q := u.Query()
	for i := 0; i < len(nameValues); i += 2 {
		q.Set(nameValues[i], nameValues[i+1])
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u.String()
}

var one = binds.WithPool(binds.Pool{MaxOpen: 1})

func exec(t *testing.T, e *binds.Engine, statements ...string) {
	t.Helper()
	for _, q := range statements {
		_, err := e.DB().ExecContext(t.Context(), q)
		require.NoError(t, err, q)
	}
}

func value(t *testing.T, e *binds.Engine, query string) string {
	t.Helper()
	var v sql.NullString
	require.NoError(t, e.DB().QueryRowContext(t.Context(), query).Scan(&v), query)
	return v.String
}

// eventually waits for a query of the administrator to give want.
func eventually(t *testing.T, want, query string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var v string
		return assert.NoError(t, admin.QueryRowContext(t.Context(), query).Scan(&v)) && v == want
	}, 20*time.Second, 5*time.Millisecond, query)
}

// refusing returns an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

// terminate ends a session, and waits for its end. Before PostgreSQL 14 the server itself does not.
func terminate(ctx context.Context, pid any) error {
	if _, err := admin.ExecContext(ctx, "SELECT pg_terminate_backend($1)", pid); err != nil {
		return err
	}
	for {
		var left int
		err := admin.QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid).Scan(&left)
		if err != nil || left == 0 {
			return err
		}
	}
}

// since reports whether the servers are of this major version or a later one.
func since(major int) bool { return cluster.Primary.Version().AtLeast("PostgreSQL", major) }
