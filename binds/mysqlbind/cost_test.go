package mysqlbind_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	goexec "os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// hidden hides what kind of connector it is.
type hidden struct{ c driver.Connector }

func (h hidden) Connect(ctx context.Context) (driver.Conn, error) { return h.c.Connect(ctx) }
func (h hidden) Driver() driver.Driver                            { return nil }

var uses = map[string]func(ctx context.Context, db *sql.DB) error{
	"Exec": func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, "SELECT 1")
		return err
	},
	"QueryRow": func(ctx context.Context, db *sql.DB) error {
		var n int
		return db.QueryRowContext(ctx, "SELECT 1").Scan(&n)
	},
	"Query": func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "SELECT 1 UNION SELECT 2")
		if err != nil {
			return err
		}
		for rows.Next() {
			continue
		}
		return rows.Err()
	},
}

// Watching a statement allocates nothing beyond what the MySQL driver does.
func TestWatchingAllocatesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, role := range []binds.Role{binds.Writer, binds.Reader} {
		e := engine(t, cluster.Primary.URI(), binds.As(role), binds.WithPool(binds.Pool{MaxOpen: 1}))
		native, err := e.Native()
		require.NoError(t, err)
		for name, use := range uses {
			allocs := func(db *sql.DB) float64 {
				return testing.AllocsPerRun(200, func() { require.NoError(t, use(ctx, db)) })
			}
			ours, theirs := allocs(e.DB()), allocs(native)
			assert.LessOrEqual(t, ours, theirs, "%s %s", role, name)
		}
	}
}

// A program that imports the package links no other database.
func TestLinksNoOtherDatabase(t *testing.T) {
	out, err := goexec.CommandContext(bounded(t), "go", "list", "-deps", "github.com/bindery-go/bindery/binds/mysqlbind").Output()
	require.NoError(t, err)
	deps := string(out)
	require.Contains(t, deps, "github.com/go-sql-driver/mysql")
	for _, other := range []string{"sqlite", "pgdriver", "pgdialect", "pgx", "lib/pq", "testify"} {
		assert.False(t, strings.Contains(deps, other), other)
	}
}

func BenchmarkQueryRow(b *testing.B) {
	e, err := binds.Open(b.Context(), "bench", cluster.Primary.URI(), binds.As(binds.Reader))
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close()) }()
	native, err := e.Native()
	require.NoError(b, err)
	for name, db := range map[string]*sql.DB{"watched": e.DB(), "native": native} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, uses["QueryRow"](b.Context(), db))
			}
		})
	}
}
