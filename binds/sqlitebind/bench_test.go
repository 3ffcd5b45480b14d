package sqlitebind_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// BenchmarkPointSelect compares the engine's connections with modernc.org/sqlite's own, under a
// context that can end.
func BenchmarkPointSelect(b *testing.B) {
	e, err := binds.Open(b.Context(), "app/writer", "sqlite://"+b.TempDir()+"/app.db")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, e.Close()) })
	_, err = e.DB().Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 1), (2, 2)")
	require.NoError(b, err)
	native, err := e.Native()
	require.NoError(b, err)
	for name, db := range map[string]*sql.DB{"engine": e.DB(), "native": native} {
		b.Run(name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			var n int
			for b.Loop() {
				if err := db.QueryRowContext(ctx, "SELECT n FROM t WHERE id = 2").Scan(&n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
