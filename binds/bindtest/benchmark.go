package bindtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// BenchmarkProbe measures what a probe of a server costs, beside the shortest statement. The driver
// must be a [binds.Positioner].
func BenchmarkProbe(b *testing.B, d binds.Driver, uri string) {
	by, ok := d.(binds.Positioner)
	require.True(b, ok, "bindtest: %T is no Positioner", d)
	source, err := d.Open(b.Context(), uri)
	require.NoError(b, err)
	conn, err := source.Connector(binds.Writer).Connect(b.Context())
	require.NoError(b, err)
	ask := binds.AskConn(conn)
	b.Run("SELECT 1", func(b *testing.B) {
		for b.Loop() {
			if _, err := ask(b.Context(), "SELECT 1"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("probe", func(b *testing.B) {
		for b.Loop() {
			if _, err := by.Probe(b.Context(), ask); err != nil {
				b.Fatal(err)
			}
		}
	})
	require.NoError(b, conn.Close())
}
