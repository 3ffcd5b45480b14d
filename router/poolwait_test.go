package router

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/connwait"
	"github.com/bindery-go/bindery/internal/testlog"
)

// Whatever needs a connection of a pool that is used up waits for as long as max_wait allows, and nothing of it is sent; who
// brings a deadline waits until that.
func TestWaitForThePool(t *testing.T) {
	insert := func(ctx context.Context, _ *Router, db *bun.DB) error { return insertOn(ctx, db) }
	for what, row := range map[string]struct {
		run    func(ctx context.Context, r *Router, db *bun.DB) error
		direct bool // the error is database/sql's caller's as it is
	}{
		"a write": {insert, false},
		"a read": {func(ctx context.Context, _ *Router, db *bun.DB) error {
			return db.NewRaw("SELECT 1").Scan(ctx, new(int))
		}, false},
		"InTx": {func(ctx context.Context, r *Router, _ *bun.DB) error {
			return r.InTx(ctx, TxOptions{}, func(context.Context) error { panic("it has no connection") })
		}, false},
		"Bun's own Exec": {func(ctx context.Context, _ *Router, db *bun.DB) error {
			_, err := db.ExecContext(ctx, "INSERT 1")
			return err
		}, true},
		"Bun's own BeginTx": {func(ctx context.Context, _ *Router, db *bun.DB) error { _, err := db.BeginTx(ctx, nil); return err }, true},
		"Conn":              {func(ctx context.Context, _ *Router, db *bun.DB) error { _, err := db.Conn(ctx); return err }, true},
		"Prepare": {func(ctx context.Context, _ *Router, db *bun.DB) error {
			_, err := db.PrepareContext(ctx, "INSERT 1")
			return err
		}, true},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, log := new(strict), new(testlog.Buffer)
				var drivers binds.Drivers
				drivers.Register(d, "strict")
				e, err := drivers.Open(t.Context(), "shop/writer", "strict://it", binds.WithPool(binds.Pool{MaxOpen: 2, MaxWait: 3 * time.Second}))
				require.NoError(t, err)
				defer func() { require.NoError(t, e.Close()) }()
				r, err := New(Config{Key: "shop", Default: "shop", Dialect: d.Dialect(), Writer: e, Logger: slog.New(slog.NewTextHandler(log, nil))})
				require.NoError(t, err)
				defer r.Close()
				db := bun.NewDB(e.DB(), d.Dialect(), bun.WithConnResolver(r.Routed()))
				var kept []*sql.Conn
				for range 2 {
					c, err := e.DB().Conn(t.Context())
					require.NoError(t, err)
					kept = append(kept, c)
				}
				began := time.Now()
				err = row.run(t.Context(), r, db)
				assert.Equal(t, 3*time.Second, time.Since(began))
				var wait *binds.PoolWaitError
				require.ErrorAs(t, err, &wait)
				assert.Equal(t, binds.PoolWaitError{Engine: "shop/writer", MaxOpen: 2, Waited: 3 * time.Second}, *wait)
				assert.Equal(t, binds.NotSent, e.Classify(err))
				assert.ErrorContains(t, err, "raise max_open or max_wait")
				require.NotErrorIs(t, err, ErrOutcomeUnknown)
				require.NotErrorIs(t, err, ErrNoWriter)
				var unsent *NotSentError
				if !row.direct {
					require.ErrorAs(t, err, &unsent)
					assert.Equal(t, []int{2, 2, 0}, []int{unsent.InUse, unsent.MaxOpen, unsent.InTx})
				}
				assert.Equal(t, Stats{PoolWaitsRefused: 1}, r.Stats())
				assert.Empty(t, d.taken(), "nothing was sent")

				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began = time.Now()
				require.ErrorIs(t, row.run(ctx, r, db), context.DeadlineExceeded)
				assert.Equal(t, time.Minute, time.Since(began), "a deadline is the caller's own word")

				done := make(chan error)
				go func() { done <- insertOn(t.Context(), db) }()
				synctest.Wait()
				assert.Equal(t, 1, r.Stats().PoolWaiting)
				assert.Equal(t, 2, e.Stats().InUse)
				assert.Equal(t, 2, e.Stats().MaxOpenConnections)
				for _, c := range kept {
					require.NoError(t, c.Close())
				}
				require.NoError(t, <-done)
			})
		})
	}
}

// A connection that was passed on has the lifetime of one that was not, whether it is given back, passed on again or found idle
// when it is over: database/sql counts from when it was passed on.
func TestLifetimeOfPassedConnections(t *testing.T) {
	for what, then := range map[string]func(t *testing.T, db *sql.DB){
		"given back": func(t *testing.T, db *sql.DB) {
			c, err := db.Conn(t.Context())
			require.NoError(t, err)
			time.Sleep(2 * time.Minute)
			require.NoError(t, c.Close())
			assert.Zero(t, db.Stats().OpenConnections)
		},
		"idle": func(_ *testing.T, _ *sql.DB) { time.Sleep(2 * time.Minute) },
		"passed on again": func(t *testing.T, db *sql.DB) {
			c, err := db.Conn(t.Context())
			require.NoError(t, err)
			done := make(chan error)
			go func() { done <- db.PingContext(t.Context()) }()
			time.Sleep(2 * time.Minute)
			require.NoError(t, c.Close())
			require.NoError(t, <-done)
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := new(wire)
				n := &notice{plainRead: func(string) bool { return true }, wrote: func(*Session) {}}
				pool := binds.OpenPool("it", through{w, n}, binds.Pool{MaxOpen: 1, MaxLifetime: time.Hour, MaxIdleTime: -1, MaxWait: -1})
				db := pool.DB()
				defer func() { require.NoError(t, pool.Close()) }()
				c, err := db.Conn(t.Context())
				require.NoError(t, err)
				time.Sleep(59 * time.Minute)
				passed := make(chan error)
				go func() { passed <- db.PingContext(t.Context()) }()
				synctest.Wait()
				require.NoError(t, c.Close())
				require.NoError(t, <-passed)
				assert.NotContains(t, w.taken(), "close", "it was passed on")
				then(t, db)
				require.NoError(t, db.PingContext(t.Context()))
				assert.Contains(t, w.taken(), "close")
			})
		})
	}
}

// givenBack returns connections to be given back to a pool that bounds waits, and to one that does not.
func givenBack() (plain, bounded *watchedConn) {
	n := &notice{plainRead: func(string) bool { return true }, wrote: func(*Session) {}}
	plain = n.watch(&wireConn{wire: &wire{quiet: true}}, n.age()).(interface{ base() *watchedConn }).base()
	bounded = n.watch(&wireConn{wire: &wire{quiet: true}}, n.age()).(interface{ base() *watchedConn }).base()
	bounded.WaitedFor(connwait.New(connwait.Limits{MaxOpen: 30}))
	return plain, bounded
}

func TestGivingBackAllocatesNothing(t *testing.T) {
	_, bounded := givenBack()
	assert.True(t, bounded.IsValid())
	assert.Zero(t, testing.AllocsPerRun(200, func() { bounded.IsValid() }))
}

// BenchmarkGiveBack is what a connection is asked when it is given back: all that the bound costs where nobody waits.
func BenchmarkGiveBack(b *testing.B) {
	plain, bounded := givenBack()
	for _, row := range []struct {
		name string
		conn *watchedConn
	}{{"unbounded", plain}, {"bounded", bounded}} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				row.conn.IsValid()
			}
		})
	}
}

func (c *watchedConn) base() *watchedConn { return c }
