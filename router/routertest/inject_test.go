package routertest_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

func TestFailNext(t *testing.T) {
	c := routertest.New(t, 0)
	w := writer(t, c)
	run(t, w, create)
	conn, err := w.DB().Conn(t.Context())
	require.NoError(t, err)
	first, second := errors.New("first"), fmt.Errorf("second: %w", routertest.ErrBusy)
	c.Primary().FailNext(first)
	c.Primary().FailNext(second)
	_ = probe(t, w) // is no statement
	require.NoError(t, w.Ping(t.Context()))
	_, err = conn.ExecContext(t.Context(), insert)
	assert.Equal(t, first, err, "as it is")
	_, err = conn.QueryContext(t.Context(), insert)
	assert.Equal(t, second, err)
	_, err = conn.ExecContext(t.Context(), insert)
	require.NoError(t, err, "the connection stays")

	c.Primary().FailNext(io.ErrUnexpectedEOF)
	_, err = conn.ExecContext(t.Context(), insert)
	assert.Equal(t, io.ErrUnexpectedEOF, err)
	_, err = conn.ExecContext(t.Context(), insert)
	require.ErrorIs(t, err, driver.ErrBadConn, "an error that says so breaks the connection")
	_ = conn.Close() // it is gone
	assert.Equal(t, 1, count(t, w.DB()), "what failed did nothing")
	assert.Equal(t, []string{create, insert, "SELECT count(*) FROM t"}, c.Primary().Statements())
}

func TestFailStatements(t *testing.T) {
	c := routertest.New(t, 0)
	w := writer(t, c)
	run(t, w, create)
	var asked []string
	c.Primary().FailStatements(func(query string) error {
		asked = append(asked, query)
		if strings.HasPrefix(query, "SELECT") {
			return routertest.ErrRecoveryConflict
		}
		return nil
	})
	for range 2 {
		_, err := w.DB().ExecContext(t.Context(), "SELECT 1")
		assert.Equal(t, binds.RecoveryConflict, w.Classify(err))
	}
	tx := beginTx(t, w, nil)
	exec(t, tx, insert)
	require.NoError(t, tx.Commit())
	assert.Equal(t, []string{"SELECT 1", "SELECT 1", "BEGIN", insert, "COMMIT"}, asked)

	c.Primary().FailStatements(func(string) error { c.Primary().Down(); return nil })
	conn, err := w.DB().Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), insert)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the function may use the server")
	_ = conn.Close() // it is gone
	c.Primary().Up()
	c.Primary().FailStatements(nil)
	assert.Equal(t, 1, count(t, w.DB()))
}

func TestLoseAnswer(t *testing.T) {
	for reason, do := range map[string]func(t *testing.T, c *routertest.Cluster, e *binds.Engine) error{
		"of a write": func(t *testing.T, c *routertest.Cluster, e *binds.Engine) error {
			c.Primary().LoseAnswer()
			_, err := e.DB().ExecContext(t.Context(), insert)
			return err
		},
		"of a write that returns rows": func(t *testing.T, c *routertest.Cluster, e *binds.Engine) error {
			c.Primary().LoseAnswer()
			return e.DB().QueryRowContext(t.Context(), "INSERT INTO t (n) VALUES (1) RETURNING id").Scan(new(int))
		},
		"of COMMIT": func(t *testing.T, c *routertest.Cluster, e *binds.Engine) error {
			tx := beginTx(t, e, nil)
			exec(t, tx, insert)
			c.Primary().LoseAnswer()
			return tx.Commit()
		},
		"on its way": func(t *testing.T, c *routertest.Cluster, e *binds.Engine) error {
			require.NoError(t, e.Ping(t.Context()))
			c.Primary().SetLatency(time.Second)
			defer c.Primary().SetLatency(0)
			lost := in(func() error { _, err := e.DB().ExecContext(t.Context(), insert); return err })
			time.Sleep(time.Second / 2)
			synctest.Wait()
			c.Primary().Down()
			c.Primary().Up()
			return <-lost
		},
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := routertest.New(t, 1)
				w, r := writer(t, c), reader(t, c, 0)
				run(t, w, create)
				err := do(t, c, w)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				assert.Equal(t, binds.Unknown, w.Classify(err))
				assert.Equal(t, 1, count(t, w.DB()), "it was carried out")
				assert.Equal(t, 1, count(t, r.DB()))
				run(t, w, insert)
			})
		})
	}
}

func TestFailDials(t *testing.T) {
	c := routertest.New(t, 0)
	w := writer(t, c)
	c.Primary().FailDials(routertest.ErrBusy)
	err := w.Ping(t.Context())
	assert.Equal(t, binds.Busy, w.Classify(err), "%v", err)
	c.Primary().FailDials(nil)
	require.NoError(t, w.Ping(t.Context()))
}

func TestHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 0)
		w, s := writer(t, c), c.Primary()
		s.Freeze()
		s.Down()
		s.SetLatency(time.Hour)
		s.LoseAnswer()
		s.FailDials(routertest.ErrBusy)
		s.FailStatements(func(string) error { return routertest.ErrBusy })
		s.Heal()
		start := time.Now()
		run(t, w, create, insert)
		assert.Equal(t, 1, count(t, w.DB()))
		assert.Zero(t, time.Since(start))
	})
}

// Half of the latency passes before the server sees the statement, half after.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		w, r := writer(t, c), reader(t, c, 0)
		run(t, w, create)
		c.Primary().SetLatency(10 * time.Millisecond)
		start := time.Now()
		done := in(func() error { _, err := w.DB().ExecContext(t.Context(), insert); return err })
		time.Sleep(5*time.Millisecond - 1)
		synctest.Wait()
		assert.Equal(t, 0, count(t, r.DB()))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, 1, count(t, r.DB()))
		require.NoError(t, <-done)
		assert.Equal(t, 10*time.Millisecond, time.Since(start))

		start = time.Now()
		_ = probe(t, w)
		assert.Equal(t, 20*time.Millisecond, time.Since(start), "a dial and a probe")

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := w.DB().ExecContext(ctx, insert)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Millisecond, time.Since(start))
		assert.Equal(t, 1, count(t, r.DB()), "it never arrived")
	})
}

func TestClassify(t *testing.T) {
	c := routertest.New(t, 0)
	for err, want := range map[error]binds.Fault{
		routertest.ErrReadOnly:         binds.ReadOnly,
		routertest.ErrSerialization:    binds.Retryable,
		routertest.ErrRecoveryConflict: binds.RecoveryConflict,
		routertest.ErrCanceled:         binds.Canceled,
		routertest.ErrBusy:             binds.Busy,
		routertest.ErrRefused:          binds.Refused,
		io.ErrUnexpectedEOF:            binds.Unknown,
		context.DeadlineExceeded:       binds.Unknown,
		driver.ErrBadConn:              binds.NotSent,
		errors.New("the caller's own"): binds.Unclassified,
	} {
		assert.Equal(t, want, c.Classify(fmt.Errorf("wrapped: %w", err)), "%v", err)
	}
	assert.Equal(t, binds.Unclassified, c.Classify(nil))
}
