package router

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/testlog"
)

// newHeld opens a bind on a strict server with a pool of so many connections.
func newHeld(t *testing.T, size int) (*Router, *bun.DB, *testlog.Buffer) {
	t.Helper()
	d, log := new(strict), new(testlog.Buffer)
	var drivers binds.Drivers
	drivers.Register(d, "strict")
	e, err := drivers.Open(t.Context(), "shop/writer", "strict://it", binds.WithPool(binds.Pool{MaxOpen: size}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	r, err := New(Config{Key: "shop", Default: "shop", Dialect: d.Dialect(), Writer: e, Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r, bun.NewDB(e.DB(), d.Dialect(), bun.WithConnResolver(r.Routed())), log
}

const waitLine = "open transactions of this process have all of them"

// TestOuterContextInTx gives a statement inside InTx the outer context: it waits for a connection that its own transaction has.
func TestOuterContextInTx(t *testing.T) {
	for reason, row := range map[string]struct {
		size     int
		deadline time.Duration
		run      func(ctx context.Context, r *Router, db *bun.DB) error
		lines    int
		plain    bool // database/sql answers, which names nothing
	}{
		"a write": {1, 8 * time.Second, func(ctx context.Context, r *Router, db *bun.DB) error {
			return r.InTx(ctx, TxOptions{}, func(context.Context) error { return insertOn(ctx, db) })
		}, 1, false},
		"a read": {1, 8 * time.Second, func(ctx context.Context, r *Router, db *bun.DB) error {
			return r.InTx(ctx, TxOptions{}, func(context.Context) error { return db.NewRaw("SELECT 1").Scan(ctx, new(int)) })
		}, 1, false},
		"an InTx": {1, 8 * time.Second, func(ctx context.Context, r *Router, db *bun.DB) error {
			return r.InTx(ctx, TxOptions{}, func(context.Context) error {
				return r.InTx(ctx, TxOptions{}, func(context.Context) error { panic("it has no connection") })
			})
		}, 1, false},
		"past the router": {1, 8 * time.Second, func(ctx context.Context, r *Router, db *bun.DB) error {
			return r.InTx(ctx, TxOptions{}, func(context.Context) error {
				_, err := db.ExecContext(ctx, "INSERT 1")
				return err
			})
		}, 1, true},
		"in a transaction of Bun's": {1, 8 * time.Second, func(ctx context.Context, r *Router, db *bun.DB) error {
			return db.RunInTx(ctx, nil, func(context.Context, bun.Tx) error { return insertOn(ctx, db) })
		}, 1, false},
		"each of two has one of two": {2, 8 * time.Second, func(ctx context.Context, r *Router, db *bun.DB) error {
			var began, all sync.WaitGroup
			began.Add(2)
			errs := make([]error, 2)
			for i := range errs {
				all.Go(func() {
					errs[i] = r.InTx(ctx, TxOptions{}, func(context.Context) error {
						began.Done()
						began.Wait()
						return insertOn(ctx, db)
					})
				})
			}
			all.Wait()
			if errs[0] == nil { // one gives up first, and the other one may get its connection then
				return errs[1]
			}
			return errs[0]
		}, 1, false},
		"not for long": {1, 3 * time.Second, func(ctx context.Context, r *Router, db *bun.DB) error {
			return r.InTx(ctx, TxOptions{}, func(context.Context) error { return insertOn(ctx, db) })
		}, 0, false},
		"once for a long wait": {1, time.Minute, func(ctx context.Context, r *Router, db *bun.DB) error {
			return r.InTx(ctx, TxOptions{}, func(context.Context) error { return insertOn(ctx, db) })
		}, 1, false},
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, db, log := newHeld(t, row.size)
				ctx, cancel := context.WithTimeout(t.Context(), row.deadline)
				defer cancel()
				began := time.Now()
				err := row.run(ctx, r, db)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, row.deadline, time.Since(began))
				assert.Equal(t, row.lines, strings.Count(log.String(), waitLine), log.String())
				if row.lines > 0 {
					assert.Contains(t, log.String(), "engine=shop/writer")
					assert.Contains(t, log.String(), "inside InTx use the context")
				}
				var unsent *NotSentError
				if row.plain {
					require.NotErrorIs(t, err, ErrOutcomeUnknown)
				} else {
					require.ErrorAs(t, err, &unsent)
					assert.Equal(t, NotSentError{Engine: "shop/writer", Err: context.DeadlineExceeded, InUse: row.size, MaxOpen: row.size, InTx: row.size}, *unsent)
					assert.ErrorContains(t, err, "inside InTx use the context that its function is given")
				}
				require.NoError(t, insertOn(t.Context(), db), "the connections are free")
				assert.Zero(t, r.held.held.Load())
			})
		})
	}
}

func insertOn(ctx context.Context, db *bun.DB) error {
	_, err := db.NewRaw("INSERT 1").Exec(ctx)
	return err
}

// TestBusyTransactions has transactions take all connections, and statements wait, in good order: nothing is said of that.
func TestBusyTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, db, log := newHeld(t, 2)
		hold := func(d time.Duration) {
			require.NoError(t, r.InTx(t.Context(), TxOptions{}, func(context.Context) error { time.Sleep(d); return nil }))
		}
		hold(time.Minute)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { hold(time.Minute) }) // nobody waits
		}
		all.Wait()
		for range 2 {
			all.Go(func() {
				for range 20 {
					hold(3 * time.Second)
				}
			})
			all.Go(func() {
				for range 20 {
					assert.NoError(t, insertOn(t.Context(), db))
				}
			})
		}
		all.Wait()
		assert.NotContains(t, log.String(), waitLine)

		// Who keeps a connection without a transaction is not blamed on one.
		var kept []*sql.Conn
		for range 2 {
			conn, err := db.DB.Conn(t.Context())
			require.NoError(t, err)
			kept = append(kept, conn)
		}
		short, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var unsent *NotSentError
		require.ErrorAs(t, insertOn(short, db), &unsent)
		assert.Zero(t, unsent.InTx)
		assert.Equal(t, 2, unsent.InUse)
		for _, conn := range kept {
			require.NoError(t, conn.Close())
		}
		assert.NotContains(t, log.String(), waitLine)
	})
}

func TestNilFunctions(t *testing.T) {
	d, r, _ := newStrict(t)
	require.ErrorIs(t, r.InTx(t.Context(), TxOptions{}, nil), ErrNilFunc)
	require.ErrorIs(t, InTxAll(t.Context(), []*Router{r}, TxOptions{}, nil), ErrNilFunc)
	require.NoError(t, r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
		AfterCommit(ctx, r, nil)
		return nil
	}))
	AfterCommit(t.Context(), r, nil)
	assert.Equal(t, []string{"BEGIN 0", "COMMIT"}, d.taken())
}
