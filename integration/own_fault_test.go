package integration_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/internal/testlog"
	"github.com/bindery-go/bindery/internal/teston"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// withLimit opens a manager anew whose sessions have a limit of PostgreSQL's.
func (s *stage) withLimit(t *testing.T, setting string) *stage {
	t.Helper()
	require.NoError(t, s.cluster.Primary.Exec(t.Context(), "ALTER ROLE app SET "+setting))
	require.NoError(t, s.cluster.WaitReplayed(t.Context()))
	writer, readers, _ := clusterURIs(s.cluster)
	limited := &stage{cluster: s.cluster, log: new(testlog.Buffer)}
	limited.m = openManager(t, config(map[string]string{"shop": writer}, readers, ""),
		manager.WithLogger(slog.New(slog.NewTextHandler(limited.log, nil))))
	var err error
	limited.bind, err = limited.m.Bind(shop{})
	require.NoError(t, err)
	limited.awaitReaders(t, "shop/reader-1", "shop/reader-2")
	return limited
}

// TestATransactionTimeoutIsTheStatementsOwn: it ends one session, ejects nobody, and is met once.
func TestATransactionTimeoutIsTheStatementsOwn(t *testing.T) {
	onKinds(t, []string{teston.Postgres}, "", func(t *testing.T, s *stage) {
		if !s.cluster.Primary.Version().AtLeast("PostgreSQL", 17) {
			t.Skip("transaction_timeout is there since PostgreSQL 17")
		}
		s = s.withLimit(t, "transaction_timeout = '500ms'")
		const slow = "SELECT v FROM cells, pg_sleep(30) WHERE id = 1"
		for _, ctx := range []context.Context{t.Context(), router.OnWriter(t.Context()), router.NewSession(t.Context())} {
			retried, began := s.bind.Stats().Retried, time.Now()
			err := s.m.NewRaw(shop{}, slow).Scan(ctx, new(int64))
			require.ErrorContains(t, err, "25P04")
			assert.Less(t, time.Since(began), 2*time.Second, "sent once")
			assert.Zero(t, s.bind.Stats().Retried-retried)
		}
		began := time.Now()
		_, err := s.m.NewRaw(shop{}, "UPDATE cells SET v = v + 1 FROM pg_sleep(30)").Exec(t.Context())
		require.ErrorContains(t, err, "25P04")
		require.ErrorIs(t, err, router.ErrOutcomeUnknown)
		assert.Less(t, time.Since(began), 2*time.Second)
		tries := 0
		err = s.m.InTx(t.Context(), shop{}, func(ctx context.Context) error {
			tries++
			_, err := s.m.NewRaw(shop{}, "UPDATE cells SET v = v + 1 FROM pg_sleep(30)").Exec(ctx)
			require.ErrorContains(t, err, "25P04")
			return nil
		}, manager.Retry(3))
		var aborted *router.TxAbortedError
		require.ErrorAs(t, err, &aborted)
		assert.Equal(t, 1, tries)
		got, _, err := s.read(t.Context())
		require.NoError(t, err)
		assert.Zero(t, got.V, "nothing was carried out")
		assert.NotContains(t, s.log.String(), "is down")
		assert.NotContains(t, s.log.String(), "cannot be reached")
	})
}

// TestAnIdleTransactionEndsAlone: idle_in_transaction_session_timeout on a reader.
func TestAnIdleTransactionEndsAlone(t *testing.T) {
	onKinds(t, []string{teston.Postgres}, "", func(t *testing.T, s *stage) {
		if s.bind.Dialect().Name() != dialect.PG {
			t.Skip("PostgreSQL's own")
		}
		s = s.withLimit(t, "idle_in_transaction_session_timeout = '100ms'")
		gone := func() bool {
			for _, r := range s.cluster.Replicas {
				n, err := r.QueryString(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
				if err != nil || n != "0" {
					return false
				}
			}
			return true
		}
		err := s.m.InTx(t.Context(), shop{}, func(ctx context.Context) error {
			require.NoError(t, s.m.NewRaw(shop{}, "SELECT v FROM cells").Scan(ctx, new(int64)))
			require.Eventually(t, func() bool { return gone() }, waitFor, tick)
			err := s.m.NewRaw(shop{}, "SELECT v FROM cells").Scan(ctx, new(int64))
			require.ErrorContains(t, err, "25P03")
			require.Error(t, s.m.NewRaw(shop{}, "SELECT v FROM cells").Scan(ctx, new(int64)))
			return err
		}, manager.ReadOnly())
		require.ErrorContains(t, err, "25P03")
		assert.NotContains(t, s.log.String(), "is down")
	})
}

// TestAReadThatEndsItsSession everywhere is sent once to each server.
func TestAReadThatEndsItsSession(t *testing.T) {
	onKinds(t, []string{teston.Postgres}, "", func(t *testing.T, s *stage) {
		_, err := s.m.NewRaw(shop{}, "CREATE FUNCTION harm() RETURNS bool LANGUAGE sql AS 'SELECT pg_terminate_backend(pg_backend_pid())'").Exec(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.cluster.WaitReplayed(t.Context()))
		s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
		for what, row := range map[string]struct {
			ctx     context.Context
			retried uint64
			wrote   bool // for all that is known
		}{
			"a plain read":  {t.Context(), 2, false}, // the other reader, the writer's server
			"on the writer": {router.OnWriter(t.Context()), 0, true},
		} {
			s.awaitReaders(t, "shop/reader-1", "shop/reader-2")
			before, began := s.bind.Stats().Retried, time.Now()
			err := s.m.NewRaw(shop{}, "SELECT harm(), pg_sleep(5)").Scan(row.ctx, new(bool), new(string))
			if row.wrote {
				require.ErrorIs(t, err, router.ErrOutcomeUnknown, what)
			} else {
				require.ErrorAs(t, err, new(*router.ReadBrokenError), what)
			}
			assert.Equal(t, row.retried, s.bind.Stats().Retried-before, what)
			assert.Less(t, time.Since(began), 2*time.Second, what)
		}
	})
}
