package routertest_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens an engine that ends with the test.
func open(t *testing.T, c *routertest.Cluster, uri string, role binds.Role) *binds.Engine {
	t.Helper()
	e, err := c.Drivers().Open(t.Context(), "test/"+role.String(), uri, binds.As(role))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func writer(t *testing.T, c *routertest.Cluster) *binds.Engine {
	t.Helper()
	return open(t, c, c.WriterURI(), binds.Writer)
}

func reader(t *testing.T, c *routertest.Cluster, i int) *binds.Engine {
	t.Helper()
	return open(t, c, c.ReaderURIs()[i], binds.Reader)
}

func run(t *testing.T, e *binds.Engine, queries ...string) {
	t.Helper()
	for _, q := range queries {
		_, err := e.DB().ExecContext(t.Context(), q)
		require.NoError(t, err, q)
	}
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// count returns how many rows the table t has.
func count(t *testing.T, q queryer) int {
	t.Helper()
	var n int
	require.NoError(t, q.QueryRowContext(context.Background(), "SELECT count(*) FROM t").Scan(&n))
	return n
}

func probe(t *testing.T, e *binds.Engine) binds.Probe {
	t.Helper()
	p, err := e.Probe(t.Context())
	require.NoError(t, err)
	return p
}

const (
	create = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)"
	insert = "INSERT INTO t (n) VALUES (1)"
)
