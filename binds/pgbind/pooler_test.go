package pgbind

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/integration"
)

// throughPoolers runs fn with each PgBouncer that is found in each of the modes, in front of the primary.
func throughPoolers(t *testing.T, modes []integration.PoolMode, fn func(t *testing.T, p *integration.PgBouncer, mode integration.PoolMode), settings ...string) {
	for _, program := range integration.RequirePgBouncers(t) {
		for _, mode := range modes {
			o := integration.PgBouncerOptions{Program: program, Mode: mode, Settings: settings}
			p := integration.StartPgBouncer(t, cluster.Primary, o)
			t.Run(fmt.Sprint(p.Version(), " ", mode), func(t *testing.T) { fn(t, p, mode) })
		}
	}
}

var (
	allModes = []integration.PoolMode{integration.PoolSessions, integration.PoolTransactions, integration.PoolStatements}
	txModes  = []integration.PoolMode{integration.PoolSessions, integration.PoolTransactions}
	shared   = []integration.PoolMode{integration.PoolTransactions, integration.PoolStatements}
)

// tells reports whether the pooler says of itself what it pools.
func tells(p *integration.PgBouncer) bool { return p.Version().AtLeast("PgBouncer", 1, 26) }

func connect(t *testing.T, e *binds.Engine) *conn {
	t.Helper()
	c, err := e.Connector().Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.(*conn)
}

func asked(t *testing.T, c *conn, query string) string {
	t.Helper()
	row, err := binds.AskConn(c)(t.Context(), query)
	require.NoError(t, err, query)
	return row[0]
}

// What a probe says of the pooler: nothing without one; its own word from PgBouncer 1.26 on; before that, that there is
// one, and what it pools once two connections are seen in one session.
func TestPooler_isRecognized(t *testing.T) {
	direct := open(t, cluster.Primary.URI(), binds.As(binds.Reader))
	p, err := binds.ProveConn(t.Context(), Driver{}, connect(t, direct))
	require.NoError(t, err)
	assert.Empty(t, p.Pooler)
	assert.False(t, p.Shared)
	throughPoolers(t, allModes, func(t *testing.T, b *integration.PgBouncer, mode integration.PoolMode) {
		e := open(t, b.URI(), binds.As(binds.Reader))
		var got []binds.Probe
		for range 2 {
			p, err := binds.ProveConn(t.Context(), Driver{}, connect(t, e))
			require.NoError(t, err)
			got = append(got, p)
		}
		isShared := mode != integration.PoolSessions
		if tells(b) {
			name := fmt.Sprintf("PgBouncer %d.%d.%d (%s pooling)", b.Version().Major, b.Version().Minor, b.Version().Patch, mode)
			for _, p := range got {
				assert.Equal(t, name, p.Pooler)
				assert.Equal(t, isShared, p.Shared)
			}
		} else {
			assert.Equal(t, unknownPoolerTitle, got[0].Pooler)
			want := unknownPoolerTitle
			if isShared {
				want = "a pooler (transaction pooling)"
			}
			assert.Equal(t, want, got[1].Pooler)
			assert.Equal(t, isShared, got[1].Shared)
		}
		var refusal *PoolerError
		if isShared {
			require.ErrorAs(t, got[1].Doubt, &refusal)
			assert.Equal(t, got[1].Pooler, refusal.Pooler)
			assert.ErrorContains(t, got[1].Doubt, "pool_mode = session")
		} else {
			assert.NoError(t, got[1].Doubt)
		}
	})
}

// A reader's belt leaks to nobody, and holds: what writes is refused, also in a transaction.
func TestPooler_readersAreReadOnlyAndLeaveNothing(t *testing.T) {
	exec(t, open(t, cluster.Primary.URI()), "CREATE TABLE IF NOT EXISTS pooled (n int)")
	throughPoolers(t, allModes, func(t *testing.T, b *integration.PgBouncer, mode integration.PoolMode) {
		reader := open(t, b.URI(), binds.As(binds.Reader), one)
		writer := open(t, b.URI(), one)
		for range 3 {
			_, err := reader.DB().ExecContext(t.Context(), "INSERT INTO pooled VALUES (1)")
			assert.Equal(t, codeReadOnly, codeOf(err))
			var n int
			require.NoError(t, reader.DB().QueryRowContext(t.Context(), "SELECT 1").Scan(&n))
			assert.Equal(t, 1, n)
			if mode != integration.PoolStatements {
				tx, err := reader.DB().BeginTx(t.Context(), nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(t.Context(), "INSERT INTO pooled VALUES (1)")
				assert.Equal(t, codeReadOnly, codeOf(err))
				require.NoError(t, tx.Rollback())
			}
			_, err = writer.DB().ExecContext(t.Context(), "INSERT INTO pooled VALUES (2)")
			require.NoError(t, err, "the writer's session is nobody else's")
		}
	}, "default_pool_size = 2")
}

// A connection that was proved runs its statements in the session of its proof, or not at all.
func TestPooler_pinnedConnectionDoesNotStray(t *testing.T) {
	throughPoolers(t, txModes, func(t *testing.T, b *integration.PgBouncer, mode integration.PoolMode) {
		if tells(b) {
			return // it is not pinned: nothing is promised of it, or nothing can change
		}
		e := open(t, b.URI(), binds.As(binds.Reader))
		other := open(t, b.URI(), one)
		c := connect(t, e)
		p, err := binds.ProveConn(t.Context(), Driver{}, c)
		require.NoError(t, err)
		require.False(t, p.Shared)
		assert.Equal(t, p.Session, asked(t, c, pidQuery))
		tx, err := other.DB().BeginTx(t.Context(), nil) // takes the session, if it is there to take
		require.NoError(t, err)
		var pid string
		require.NoError(t, tx.QueryRowContext(t.Context(), pidQuery).Scan(&pid))
		row, err := binds.AskConn(c)(t.Context(), pidQuery)
		if mode == integration.PoolSessions {
			require.NoError(t, err)
			assert.Equal(t, p.Session, row[0])
			assert.NotEqual(t, p.Session, pid)
			begun, err := c.BeginTx(t.Context(), driver.TxOptions{})
			require.NoError(t, err)
			assert.Equal(t, p.Session, asked(t, c, pidQuery))
			require.NoError(t, begun.Commit())
		} else {
			assert.Equal(t, p.Session, pid)
			require.ErrorIs(t, err, driver.ErrBadConn)
			assert.False(t, c.IsValid())
			next, err := binds.ProveConn(t.Context(), Driver{}, connect(t, e))
			require.NoError(t, err)
			assert.True(t, next.Shared, "it is known now")
		}
		require.NoError(t, tx.Rollback())
	})
}

// Through a pooler, whatever it pools, a lock has one holder, keeps those out who come without it, and is gone with its holder.
func TestPooler_locks(t *testing.T) {
	throughPoolers(t, txModes, func(t *testing.T, b *integration.PgBouncer, mode integration.PoolMode) {
		through, direct := open(t, b.URI()), open(t, cluster.Primary.URI())
		open := func(e *binds.Engine) binds.NamedLock {
			l, err := e.NamedLock(t.Context(), "pooled")
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, l.Close()) })
			return l
		}
		got := func(l binds.NamedLock, wait time.Duration) bool {
			ok, err := l.Acquire(t.Context(), wait)
			require.NoError(t, err)
			return ok
		}
		free := func() string {
			return value(t, direct, "SELECT (count(*) = 0)::text FROM pg_locks WHERE locktype = 'advisory'")
		}
		first, second, third := open(through), open(through), open(direct)
		require.True(t, got(first, 0))
		for _, l := range []binds.NamedLock{second, third} {
			assert.False(t, got(l, 0))
			assert.False(t, got(l, 50*time.Millisecond))
			holder, err := l.Holder(t.Context())
			require.NoError(t, err)
			assert.Contains(t, holder, "pid ")
		}
		_, err := first.Check(t.Context())
		require.NoError(t, err)
		held, err := first.Release(t.Context())
		require.NoError(t, err)
		assert.True(t, held)
		require.True(t, got(second, 0))
		assert.Greater(t, second.Fence(), first.Fence())
		require.NoError(t, second.Close())
		require.True(t, got(third, 5*time.Second), "the pooler keeps nothing of a holder that has gone")
		assert.Greater(t, third.Fence(), second.Fence())
		assert.False(t, got(open(through), 0))
		held, err = third.Release(t.Context())
		require.NoError(t, err)
		assert.True(t, held)
		assert.Equal(t, "true", free())

		// A wait that its context ends leaves nothing waiting.
		require.True(t, got(third, 0))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = open(through).Acquire(ctx, 10*time.Second)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		eventually(t, "1", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
		for _, setting := range []string{"synchronous_commit", "statement_timeout", "lock_timeout"} {
			assert.Equal(t, value(t, direct, "SHOW "+setting), value(t, through, "SHOW "+setting), "nothing is left in the pooler's sessions")
		}
		_, err = third.Release(t.Context())
		require.NoError(t, err)
	})
}

// Where there are no transactions there are no locks.
func TestPooler_noLockByStatements(t *testing.T) {
	throughPoolers(t, []integration.PoolMode{integration.PoolStatements}, func(t *testing.T, b *integration.PgBouncer, _ integration.PoolMode) {
		l, err := open(t, b.URI()).NamedLock(t.Context(), "pooled")
		require.NoError(t, err)
		defer func() { assert.NoError(t, l.Close()) }()
		_, err = l.Acquire(t.Context(), 0)
		var refusal *PoolerError
		require.ErrorAs(t, err, &refusal)
		assert.ErrorContains(t, err, "a named lock needs one session on one server: give the server's own address, or let the pooler pool sessions (PgBouncer: pool_mode = session)")
	})
}

// A cancel request finds its way through the pooler.
func TestPooler_cancel(t *testing.T) {
	throughPoolers(t, allModes, func(t *testing.T, b *integration.PgBouncer, _ integration.PoolMode) {
		e := open(t, b.URI(), binds.As(binds.Reader))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := e.DB().ExecContext(ctx, "SELECT pg_sleep(60), 'pooled'")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		eventually(t, "0", "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%60), ''pooled%' AND pid <> pg_backend_pid()")
	})
}

// What a reader cannot have through a pooler that may share its session is refused.
func TestPooler_refusals(t *testing.T) {
	throughPoolers(t, shared, func(t *testing.T, b *integration.PgBouncer, _ integration.PoolMode) {
		e := open(t, b.URI(), binds.As(binds.Reader))
		var refusal *PoolerError
		_, err := e.DB().PrepareContext(t.Context(), "SELECT 1")
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, "a reader's prepared statement", refusal.Need)
		native, err := e.Native()
		require.NoError(t, err)
		err = native.PingContext(t.Context())
		if tells(b) && strconv.Itoa(b.Version().Major) != "" && cluster.Primary.Version().AtLeast("PostgreSQL", 14) {
			return // it keeps the belt for each client
		}
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, "a reader's native connection", refusal.Need)
	})
}

// Arguments go through poolers of every kind: in the statement's own session and transaction, read-only where a reader sends them, and nothing
// is left behind.
func TestPooler_arguments(t *testing.T) {
	exec(t, open(t, cluster.Primary.URI()), "CREATE TABLE IF NOT EXISTS pooled_args (n int, b bytea)")
	throughPoolers(t, allModes, func(t *testing.T, b *integration.PgBouncer, mode integration.PoolMode) {
		reader, writer := open(t, b.URI(), binds.As(binds.Reader)), open(t, b.URI())
		var got string
		for n := range 5 {
			for _, e := range []*binds.Engine{reader, writer} {
				require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT $1 || pg_backend_pid() * 0 -- it's here", "a").Scan(&got))
				assert.Equal(t, "a0", got)
				require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT encode($1::bytea, 'hex') || ($2::jsonb->>'a')", []byte{0, 255}, []byte(`{"a":"b"}`)).Scan(&got))
				assert.Equal(t, "00ffb", got)
			}
			res, err := writer.DB().ExecContext(t.Context(), "INSERT INTO pooled_args VALUES ($1, $2), ($1, NULL)", n, []byte{byte(n)})
			require.NoError(t, err)
			affected, err := res.RowsAffected()
			require.NoError(t, err)
			assert.EqualValues(t, 2, affected)
			for _, arg := range []any{1, []byte("1")} {
				_, err = reader.DB().ExecContext(t.Context(), "INSERT INTO pooled_args VALUES ($1)", arg)
				assert.Equal(t, codeReadOnly, codeOf(err))
				var left int
				require.NoError(t, reader.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM pooled_args WHERE n >= $1 AND b IS NOT NULL", arg).Scan(&left))
				assert.Equal(t, n, left)
			}
			if mode != integration.PoolStatements {
				tx, err := reader.DB().BeginTx(t.Context(), nil)
				require.NoError(t, err)
				require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT $1::text", "b").Scan(&got))
				assert.Equal(t, "b", got)
				_, err = tx.ExecContext(t.Context(), "INSERT INTO pooled_args VALUES ($1, $2)", 1, []byte("x"))
				assert.Equal(t, codeReadOnly, codeOf(err))
				require.NoError(t, tx.Rollback())
			}
		}
		exec(t, writer, "DELETE FROM pooled_args")
		assert.Equal(t, "0", value(t, open(t, cluster.Primary.URI()), "SELECT count(*) FROM pg_prepared_statements"))
	}, "default_pool_size = 2")
}

// A connection that is held to the session of its proof is so with arguments, too.
func TestPooler_pinnedArgumentsDoNotStray(t *testing.T) {
	for _, arg := range []any{"a", []byte("a")} {
		throughPoolers(t, []integration.PoolMode{integration.PoolTransactions}, func(t *testing.T, b *integration.PgBouncer, _ integration.PoolMode) {
			if tells(b) {
				return
			}
			e, other := open(t, b.URI(), binds.As(binds.Reader)), open(t, b.URI(), one)
			c := connect(t, e)
			_, err := binds.ProveConn(t.Context(), Driver{}, c)
			require.NoError(t, err)
			args := []driver.NamedValue{{Ordinal: 1, Value: arg}}
			for range 3 {
				rows, err := c.QueryContext(t.Context(), "SELECT $1::text", args)
				require.NoError(t, err)
				require.NoError(t, rows.Close())
			}
			tx, err := other.DB().BeginTx(t.Context(), nil) // takes the session
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "SELECT 1")
			require.NoError(t, err)
			_, err = c.QueryContext(t.Context(), "SELECT $1::text", args)
			assert.ErrorIs(t, err, driver.ErrBadConn)
			require.NoError(t, tx.Rollback())
		})
	}
}
