package mysqlbind_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/mysqlbind"
	"github.com/bindery-go/bindery/integration"
	"github.com/bindery-go/bindery/internal/teston"
)

// password needs every escape there is, and is unlike any other text.
const password = `hunter2:Qx@z/?#%41&"'\=`

// cluster is a primary and a replica for all tests of the package.
var cluster *integration.Cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	before := goleak.IgnoreCurrent()
	var err error
	cluster, err = teston.New(context.Background(), teston.MySQLFamily(), 1, integration.WithTLS(), integration.WithPassword(password))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := cluster.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := goleak.Find(before); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// thaw lets the frozen primary go on, and waits until it is one of its cluster again: Galera expels who does not answer.
func thaw(t *testing.T) {
	t.Helper()
	require.NoError(t, cluster.Primary.Thaw())
	require.NoError(t, cluster.WaitReplayed(t.Context()))
}

// engine opens an engine that the test's end closes.
func engine(t *testing.T, uri string, opts ...binds.OpenOption) *binds.Engine {
	t.Helper()
	e, err := binds.Open(t.Context(), "test/"+t.Name(), uri, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func writer(t *testing.T, params string) *binds.Engine {
	t.Helper()
	return engine(t, cluster.Primary.URI()+params, binds.WithPool(binds.Pool{MaxOpen: 4}))
}

// reader opens a reader on the primary itself, where only the belt stops a write.
func reader(t *testing.T) *binds.Engine {
	t.Helper()
	return engine(t, cluster.Primary.URI(), binds.As(binds.Reader), binds.WithPool(binds.Pool{MaxOpen: 1}))
}

// bounded is a context that a hanging test does not outlive.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func exec(t *testing.T, e *binds.Engine, statements ...string) {
	t.Helper()
	for _, q := range statements {
		_, err := e.DB().ExecContext(bounded(t), q)
		require.NoError(t, err, q)
	}
}

func value(t *testing.T, e *binds.Engine, query string) string {
	t.Helper()
	var s string
	require.NoError(t, e.DB().QueryRowContext(bounded(t), query).Scan(&s), query)
	return s
}

// table makes an empty table that the test's end drops.
func table(t *testing.T, e *binds.Engine, name, columns string) {
	t.Helper()
	exec(t, e, "DROP TABLE IF EXISTS "+name, "CREATE TABLE "+name+" ("+columns+")")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_, err := e.DB().ExecContext(ctx, "DROP TABLE "+name)
		require.NoError(t, err)
	})
}

// busy counts the statements at work on the primary for the ordinary user whose text holds mark.
func busy(t *testing.T, mark string) string {
	t.Helper()
	n, err := cluster.Primary.QueryString(bounded(t),
		"SELECT COUNT(*) FROM "+server().processes+" WHERE USER = 'app' AND INFO LIKE '%"+mark+"%'")
	require.NoError(t, err)
	return n
}
