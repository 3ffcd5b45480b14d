package integration_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router"
)

// TestWhatAStandbyRefuses by other codes than 25006, as no text shows: the writer serves it, and no reader is
// thought ill of for that.
func TestWhatAStandbyRefuses(t *testing.T) {
	onKinds(t, []string{teston.Postgres}, "", func(t *testing.T, s *stage) {
		if s.bind.Dialect().Name() != dialect.PG {
			t.Skip("PostgreSQL's own")
		}
		ctx := t.Context()
		for _, q := range []string{
			"CREATE UNLOGGED TABLE counts (n bigint)",
			"INSERT INTO counts VALUES (42)",
			"CREATE FUNCTION log_begins() RETURNS bigint LANGUAGE sql AS $$ SELECT CASE WHEN pg_current_wal_lsn() > '0/0' THEN 43::bigint END $$",
			"CREATE FUNCTION announce() RETURNS bigint LANGUAGE sql AS $$ SELECT 44::bigint FROM pg_logical_emit_message(false, 'a', 'b') $$",
		} {
			_, err := s.m.NewRaw(shop{}, q).Exec(ctx)
			require.NoError(t, err, q)
		}
		require.NoError(t, s.cluster.WaitReplayed(ctx))
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		for _, row := range []struct {
			code, query string
			want        int64
		}{
			{"0A000", "SELECT n FROM counts", 42},
			{"55000", "SELECT log_begins()", 43},
			{"XX000", "SELECT announce()", 44},
		} {
			s.awaitReaders(t, "shop/reader-1", "shop/reader-2") // what a reader refused counts as a write
			require.ErrorContains(t, s.bind.Reader().NewRaw(row.query).Scan(ctx, new(int64)), row.code, "a reader refuses it")
			before := s.bind.Stats().Refused
			explained, route := router.Explain(ctx)
			var got int64
			require.NoError(t, s.m.NewRaw(shop{}, row.query).Scan(explained, &got), row.code)
			assert.Equal(t, row.want, got)
			assert.Equal(t, "shop/writer (write, reader_refused)", route.String(), row.code)
			assert.EqualValues(t, 1, s.bind.Stats().Refused-before, row.code)
		}
		assert.NotContains(t, s.log.String(), "reader is down")
		assert.NotContains(t, s.log.String(), "writer refuses writes")
	})
}
