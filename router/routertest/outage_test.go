package routertest_test

import (
	"context"
	"database/sql/driver"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

// in runs do beside the test and returns where its error comes.
func in(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return done
}

func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		run(t, w, create)
		tx, err := w.DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), insert)
		require.NoError(t, err)
		before := probe(t, w)
		conn, err := w.DB().Conn(t.Context())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }() // it will be gone
		c.Primary().SetLatency(time.Second)
		flying := in(func() error { _, err := conn.ExecContext(t.Context(), insert); return err })
		synctest.Wait()

		c.Primary().Down()
		err = <-flying
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the statement under way")
		assert.Equal(t, binds.Unknown, w.Classify(err))
		_, err = tx.ExecContext(t.Context(), insert)
		require.ErrorIs(t, err, driver.ErrBadConn, "a connection that was idle")
		assert.Equal(t, binds.NotSent, w.Classify(err))
		_ = tx.Rollback() // it is gone
		start := time.Now()
		_, err = w.DB().ExecContext(t.Context(), insert)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, "a new one")
		assert.Equal(t, binds.NotSent, w.Classify(err))
		_, err = w.Probe(t.Context())
		require.Error(t, err)
		assert.Zero(t, time.Since(start), "dialing fails at once")
		assert.Zero(t, c.Primary().Connections())
		assert.Equal(t, 0, count(t, r.DB()), "the replica lives")

		c.Primary().Up()
		c.Primary().SetLatency(0)
		run(t, w, insert)
		assert.Equal(t, 1, count(t, w.DB()), "neither the transaction nor the statement under way was carried out")
		assert.Equal(t, before.Server, probe(t, w).Server, "it was not restarted")
	})
}

func TestRowsOfABrokenConnection(t *testing.T) {
	c := routertest.New(t, 0)
	w := writer(t, c)
	run(t, w, create, insert, insert)
	rows, err := w.DB().QueryContext(t.Context(), "SELECT id FROM t")
	require.NoError(t, err)
	require.True(t, rows.Next())
	c.Primary().Down()
	assert.False(t, rows.Next())
	require.ErrorIs(t, rows.Err(), io.ErrUnexpectedEOF)
	require.NoError(t, rows.Close())
}

func TestFreeze(t *testing.T) {
	for reason, do := range map[string]func(context.Context, *binds.Engine) error{
		"a statement": func(ctx context.Context, e *binds.Engine) error {
			_, err := e.DB().ExecContext(ctx, "SELECT 1")
			return err
		},
		"BEGIN": func(ctx context.Context, e *binds.Engine) error {
			tx, err := e.DB().BeginTx(ctx, nil)
			if err == nil {
				err = tx.Rollback()
			}
			return err
		},
		"PREPARE": func(ctx context.Context, e *binds.Engine) error {
			st, err := e.DB().PrepareContext(ctx, "SELECT 1")
			if err == nil {
				err = st.Close()
			}
			return err
		},
		"a ping":  func(ctx context.Context, e *binds.Engine) error { return e.Ping(ctx) },
		"a probe": func(ctx context.Context, e *binds.Engine) error { _, err := e.Probe(ctx); return err },
		"a dial": func(ctx context.Context, e *binds.Engine) error {
			conn, err := e.Connector().Connect(ctx)
			if err == nil {
				err = conn.Close()
			}
			return err
		},
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := routertest.New(t, 1)
				r := reader(t, c, 0)
				replica := c.Replicas()[0]
				require.NoError(t, do(t.Context(), r))

				replica.Freeze()
				replica.Freeze() // is frozen already
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				require.ErrorIs(t, do(ctx, r), context.DeadlineExceeded)
				assert.Equal(t, 3*time.Second, time.Since(start))

				hanging := in(func() error { return do(t.Context(), r) })
				time.Sleep(time.Hour)
				select {
				case err := <-hanging:
					assert.Fail(t, "did not wait", "%v", err)
				default:
				}
				replica.Thaw()
				replica.Thaw() // is thawed already
				require.NoError(t, <-hanging)
			})
		})
	}
}

func TestFreezeStopsReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		replica := c.Replicas()[0]
		run(t, w, create)
		replica.SetLag(lag)
		replica.Freeze()
		run(t, w, insert)
		time.Sleep(lag)
		assert.Equal(t, routertest.Position(1), replica.Position())
		replica.Thaw()
		assert.Equal(t, 1, count(t, r.DB()))
	})
}

// A write given up while its server was frozen is not carried out afterwards.
func TestGivenUpWhileFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 0)
		w := writer(t, c)
		run(t, w, create)
		c.Primary().Freeze()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.DB().ExecContext(ctx, insert)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, binds.Unknown, w.Classify(err), "the client cannot know")
		c.Primary().Thaw()
		assert.Equal(t, 0, count(t, w.DB()))
	})
}

func TestInterrupt(t *testing.T) {
	for reason, hang := range map[string]func(*routertest.Server){
		"frozen":    (*routertest.Server).Freeze,
		"slow":      func(s *routertest.Server) { s.SetLatency(time.Hour) },
		"is idle":   nil,
		"lock wait": nil,
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := routertest.New(t, 0)
				w := writer(t, c)
				run(t, w, create)
				conn, err := w.Connector().Connect(t.Context())
				require.NoError(t, err)
				defer func() { require.NoError(t, conn.Close()) }()
				if reason == "lock wait" {
					tx, err := w.DB().BeginTx(t.Context(), nil)
					require.NoError(t, err)
					_, err = tx.ExecContext(t.Context(), insert)
					require.NoError(t, err)
					defer func() { require.NoError(t, tx.Rollback()) }()
				}
				exec := func() error {
					_, err := conn.(driver.ExecerContext).ExecContext(context.Background(), insert, nil)
					return err
				}
				if reason != "is idle" {
					if hang != nil {
						hang(c.Primary())
					}
					hanging := in(exec)
					time.Sleep(time.Second)
					start := time.Now()
					conn.(binds.Interrupter).Interrupt()
					require.ErrorIs(t, <-hanging, io.ErrUnexpectedEOF)
					assert.Zero(t, time.Since(start), "at once")
				}
				conn.(binds.Interrupter).Interrupt()
				require.ErrorIs(t, exec(), driver.ErrBadConn)
				assert.False(t, conn.(driver.Validator).IsValid())
				require.ErrorIs(t, conn.(driver.SessionResetter).ResetSession(t.Context()), driver.ErrBadConn)
				c.Primary().Thaw()
				c.Primary().SetLatency(0)
			})
		})
	}
}

func TestCrashRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		replica := c.Replicas()[0]
		replica.SetLag(lag)
		run(t, w, create, insert, insert, insert)
		time.Sleep(lag)
		require.Equal(t, 3, count(t, r.DB()))
		before := probe(t, r)
		conn, err := r.DB().Conn(t.Context())
		require.NoError(t, err)

		time.Sleep(time.Hour)
		probe(t, r) // its connection is replaced now and then
		replica.CrashRestart(2)
		_, err = conn.ExecContext(t.Context(), "SELECT 1")
		require.ErrorIs(t, err, driver.ErrBadConn)
		_ = conn.Close() // it is gone
		_, err = r.Probe(t.Context())
		require.Error(t, err, "the connection of the probes is gone as well")
		assert.Equal(t, 1, count(t, r.DB()), "an older state")
		after := probe(t, r)
		assert.NotEqual(t, before.Server, after.Server, "another start")
		assert.Equal(t, before.History, after.History)
		assert.Equal(t, routertest.Position(2), after.Position)

		time.Sleep(lag - 1)
		assert.Equal(t, 1, count(t, r.DB()))
		time.Sleep(time.Nanosecond)
		assert.Equal(t, 3, count(t, r.DB()), "the lag counts from the restart")
		run(t, w, insert)
		time.Sleep(lag)
		assert.Equal(t, 4, count(t, r.DB()), "and replay goes on")
	})
}

func TestCrashRestartLosesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		run(t, w, create, insert)
		replica := c.Replicas()[0]
		require.Equal(t, routertest.Position(2), replica.Position())
		replica.PauseReplay()
		replica.Down()
		replica.CrashRestart(100)
		require.Error(t, r.Ping(t.Context()), "it stays down")
		replica.Up()
		_, err := r.DB().ExecContext(t.Context(), "SELECT count(*) FROM t")
		require.ErrorContains(t, err, "no such table")
		replica.ResumeReplay()
		assert.Equal(t, 1, count(t, r.DB()))
	})
}

// A crash does lose a write whose rows were still being read: it was never acknowledged.
func TestCrashWithOpenRows(t *testing.T) {
	c := routertest.New(t, 0)
	w := writer(t, c)
	run(t, w, create)
	rows, err := w.DB().QueryContext(t.Context(), "INSERT INTO t (n) VALUES (1) RETURNING id")
	require.NoError(t, err)
	c.Primary().CrashRestart(0)
	require.NoError(t, rows.Close())
	assert.Equal(t, 0, count(t, w.DB()))
	run(t, w, insert)
}

// A primary that crashes loses open transactions, what waits for them, and if told to, entries.
func TestPrimaryCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		run(t, w, create, insert)
		tx, err := w.DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), insert)
		require.NoError(t, err)
		waiting := in(func() error { _, err := w.DB().ExecContext(t.Context(), insert); return err })
		rows, err := w.DB().QueryContext(t.Context(), "SELECT 1")
		require.NoError(t, err)
		synctest.Wait()

		c.Primary().CrashRestart(0)
		require.ErrorIs(t, <-waiting, io.ErrUnexpectedEOF)
		require.ErrorIs(t, tx.Commit(), driver.ErrBadConn)
		assert.False(t, rows.Next())
		require.Error(t, rows.Err())
		require.NoError(t, rows.Close())
		assert.Equal(t, 1, count(t, w.DB()))
		run(t, w, insert)
		assert.Equal(t, 2, count(t, r.DB()))

		c.Primary().CrashRestart(1)
		assert.Equal(t, 1, count(t, w.DB()))
		assert.True(t, probe(t, r).Position.Exceeds(probe(t, w).Position))
		run(t, w, insert, insert)
		assert.Equal(t, 2, count(t, r.DB()), "the replica cannot follow what parted from it")
	})
}
