package integration_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/router"
)

// functions makes a function that writes and says so nowhere: charge() raises the value of the only row, and returns it.
var functions = map[string][]string{
	teston.Postgres: {`CREATE FUNCTION charge() RETURNS bigint LANGUAGE sql AS 'UPDATE cells SET v = v + 1 WHERE id = 1 RETURNING v'`,
		`CREATE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 2 * n'`},
	teston.MariaDB: {`CREATE FUNCTION charge() RETURNS BIGINT MODIFIES SQL DATA BEGIN UPDATE cells SET v = v + 1 WHERE id = 1;
			RETURN (SELECT v FROM cells WHERE id = 1); END`,
		`CREATE FUNCTION twice(n BIGINT) RETURNS BIGINT NO SQL RETURN 2 * n`},
	teston.MySQL: {`CREATE FUNCTION charge() RETURNS BIGINT MODIFIES SQL DATA BEGIN UPDATE cells SET v = v + 1 WHERE id = 1;
			RETURN (SELECT v FROM cells WHERE id = 1); END`,
		`CREATE FUNCTION twice(n BIGINT) RETURNS BIGINT NO SQL RETURN 2 * n`},
}

// TestWhatAFunctionWrote calls a function that writes by each way that leads to the writer, while the readers stand still:
// what it wrote is read back at once, by the process and by a session.
func TestWhatAFunctionWrote(t *testing.T) {
	onServers(t, "", func(t *testing.T, s *stage) {
		if s.kind != teston.Postgres { // which the replicas ask for, too
			for _, server := range append(s.cluster.Replicas[:2:2], s.cluster.Primary) {
				require.NoError(t, server.Exec(t.Context(), "SET GLOBAL log_bin_trust_function_creators = 1"))
			}
		}
		for _, statement := range functions[s.kind] {
			_, err := s.m.NewRaw(shop{}, statement).Exec(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, s.cluster.WaitReplayed(t.Context()))
		const call = "SELECT charge()"
		in := func(ctx context.Context, c bun.IDB) (v int64, err error) {
			return v, c.NewRaw(call).Scan(ctx, &v)
		}
		want := int64(0)
		for _, row := range []struct {
			name string
			call func(ctx context.Context) (int64, error)
		}{
			{"a reader refuses it", func(ctx context.Context) (int64, error) { return in(ctx, s.bind.DB()) }},
			{"its like was refused", func(ctx context.Context) (int64, error) { return in(ctx, s.bind.DB()) }},
			{"no reader is fresh enough", func(ctx context.Context) (v int64, err error) {
				require.NoError(t, s.write(ctx))
				want++
				return v, s.bind.DB().NewRaw("SELECT charge() AS fresh").Scan(ctx, &v)
			}},
			{"OnWriter", func(ctx context.Context) (v int64, err error) { return in(router.OnWriter(ctx), s.bind.DB()) }},
			{"Writer", func(ctx context.Context) (int64, error) { return in(ctx, s.bind.Writer()) }},
			{"InTx", func(ctx context.Context) (v int64, err error) {
				return v, s.m.InTx(ctx, shop{}, func(ctx context.Context) error {
					v, err = in(ctx, s.bind.DB())
					return err
				})
			}},
			{"RunInTx", func(ctx context.Context) (v int64, err error) {
				return v, s.bind.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
					v, err = in(ctx, tx)
					return err
				})
			}},
			{"QueryRowContext", func(ctx context.Context) (v int64, err error) {
				return v, s.bind.DB().QueryRowContext(ctx, call).Scan(&v)
			}},
			{"a prepared statement", func(ctx context.Context) (v int64, err error) {
				stmt, err := s.bind.Writer().PrepareContext(ctx, call)
				if err != nil {
					return 0, err
				}
				defer func() { assert.NoError(t, stmt.Close()) }()
				return v, stmt.QueryRowContext(ctx).Scan(&v)
			}},
		} {
			for _, ctx := range []context.Context{t.Context(), router.NewSession(t.Context())} {
				s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
				for _, reader := range s.cluster.Replicas {
					require.NoError(t, reader.PauseReplay(t.Context()), row.name)
				}
				want++
				got, err := row.call(ctx)
				require.NoError(t, err, row.name)
				require.Equal(t, want, got, row.name)
				read, engine, err := s.read(ctx)
				require.NoError(t, err, row.name)
				assert.Equal(t, want, read.V, "%s: from %s", row.name, engine)
				for _, reader := range s.cluster.Replicas {
					require.NoError(t, reader.ResumeReplay(t.Context()), row.name)
				}
			}
		}

		assert.EqualValues(t, 2, s.bind.Stats().Refused, "a shape is offered once to a server that may not write")
		ctx, route := router.Explain(t.Context())
		require.NoError(t, s.m.NewRaw(shop{}, call).Scan(ctx, new(int64)))
		assert.Equal(t, "shop/writer (write, reader_refused)", route.String())

		// A function that only reads is none of that: where no reader is fresh enough it asks nothing more of them.
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		for range 3 {
			require.NoError(t, s.write(t.Context()))
			var doubled int64
			require.NoError(t, s.m.NewRaw(shop{}, "SELECT twice(21)").Scan(t.Context(), &doubled))
			assert.EqualValues(t, 42, doubled)
		}
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		ctx, route = router.Explain(t.Context())
		require.NoError(t, s.m.NewRaw(shop{}, "SELECT twice(21)").Scan(ctx, new(sql.NullInt64)))
		assert.Contains(t, route.String(), "shop/reader-")
		assert.EqualValues(t, 2, s.bind.Stats().Refused)
	})
}
