package router

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errNo = errors.New("no")

// query runs a query of a router as Bun does.
func query(ctx context.Context, t *testing.T, r *Router) *sql.Rows {
	t.Helper()
	rows, err := r.routed.unknown.QueryContext(ctx, "SELECT n")
	require.NoError(t, err)
	return rows
}

func exec(ctx context.Context, r *Router, statement string) error {
	_, err := r.routed.write.ExecContext(ctx, statement)
	return err
}

// TestRowsGoOnFromMemory runs other statements while rows are open, on a server that has one result at a
// time and overwrites what it has handed out.
func TestRowsGoOnFromMemory(t *testing.T) {
	d, r, _ := newStrict(t)
	for name, row := range map[string]struct {
		rows  string
		sets  [][]string
		fails bool
	}{
		"one set":           {"1,2,3,4", [][]string{{"1", "2", "3", "4"}}, false},
		"none":              {"", [][]string{nil}, false},
		"two sets":          {"1,2|3,4", [][]string{{"1", "2"}, {"3", "4"}}, false},
		"fails while kept":  {"1,2,3,!", [][]string{{"1", "2", "3"}}, true},
		"next set fails":    {"1,2|!!", [][]string{{"1", "2"}}, true},
		"fails in a second": {"1,2|3,!", [][]string{{"1", "2"}, {"3"}}, true},
	} {
		for after := range 6 { // so many rows another statement runs
			d.rows = row.rows
			d.taken()
			var got [][]string
			other := func(ctx context.Context) {
				err := exec(ctx, r, "UPDATE")
				if row.fails {
					require.ErrorIs(t, err, errBroken, name)
					return
				}
				require.NoError(t, err, name)
			}
			err := r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
				rows := query(ctx, t, r)
				defer func() { require.NoError(t, rows.Close()) }()
				columns, err := rows.Columns()
				require.NoError(t, err)
				read := 0
				for {
					var set []string
					for rows.Next() {
						var raw sql.RawBytes // the driver's own
						require.NoError(t, rows.Scan(&raw))
						if read++; read == after {
							other(ctx)
						}
						set = append(set, string(raw))
					}
					got = append(got, set)
					if after == 0 || read < after {
						other(ctx)
					}
					if types, err := rows.ColumnTypes(); err == nil {
						assert.Equal(t, "TENTHS", types[0].DatabaseTypeName(), name)
					}
					if !rows.NextResultSet() {
						break
					}
				}
				assert.Equal(t, []string{"n"}, columns, name)
				return rows.Err()
			})
			if row.fails {
				require.ErrorIs(t, err, errBroken, name)
			} else {
				require.NoError(t, err, name)
			}
			assert.Equal(t, row.sets, got, "%s, %d", name, after)
			if row.fails {
				assert.Equal(t, []string{"BEGIN 0", "SELECT n", "ROLLBACK"}, d.taken(), "nothing is sent into what the rows have broken")
			}
		}
	}
}

// TestStatementInTxCostsNothing measures what a statement in a carried transaction costs beyond that of
// database/sql: on its way to the connection, and there.
func TestStatementInTxCostsNothing(t *testing.T) {
	_, r, _ := newStrict(t)
	require.NoError(t, r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
		c, s := &r.routed.unknown, scopeOf(ctx)
		assert.Zero(t, testing.AllocsPerRun(300, func() {
			l, err := c.txOf(s, pointSelect)
			in, err := c.enterTx(ctx, s, l, pointSelect, err)
			if err = c.leaveTx(ctx, s, &in, pointSelect, err); err != nil {
				t.Error(err)
			}
		}))
		return nil
	}))
	w := &wire{quiet: true}
	n := &notice{router: r, plainRead: func(q string) bool { return q[0] == 'S' }, wrote: func(*Session) {}}
	bare, carried := &wireConn{wire: w}, n.watch(&wireConn{wire: w}, n.age())
	tx := &openTx{router: r, engine: r.writer, turn: make(chan struct{}, 1)}
	_, err := carried.(driver.ConnBeginTx).BeginTx(withScope(t.Context(), func(s *scope) { s.begins = tx }), driver.TxOptions{})
	require.NoError(t, err)
	ctx := (&txLevel{tx: tx}).within(NewSession(t.Context()))
	for _, name := range []string{"exec", "query and rows", "plain read and rows"} {
		run := costs[name]
		want := testing.AllocsPerRun(200, func() { run(t.Context(), bare, nil) })
		assert.Equal(t, want, testing.AllocsPerRun(200, func() { run(ctx, carried, nil) }), name)
	}
}

// TestNothingIsSentIntoABrokenTransaction lets the function go on after an error that breaks it.
func TestNothingIsSentIntoABrokenTransaction(t *testing.T) {
	d, r, _ := newStrict(t)
	d.fail("UPDATE", errBroken)
	var aborted *TxAbortedError
	err := r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
		require.ErrorIs(t, exec(ctx, r, "UPDATE"), errBroken)
		require.ErrorAs(t, exec(ctx, r, "INSERT"), &aborted)
		require.ErrorAs(t, r.InTx(ctx, TxOptions{}, func(context.Context) error { return nil }), &aborted)
		return nil
	})
	require.ErrorAs(t, err, &aborted)
	require.ErrorIs(t, err, errBroken, "the cause is told")
	assert.Equal(t, []string{"BEGIN 0", "UPDATE", "ROLLBACK"}, d.taken())

	err = r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
		require.ErrorIs(t, r.InTx(ctx, TxOptions{}, func(ctx context.Context) error {
			_ = exec(ctx, r, "UPDATE")
			return nil
		}), errBroken)
		return exec(ctx, r, "INSERT")
	})
	require.NoError(t, err, "the savepoint healed it")
	assert.Equal(t, []string{"BEGIN 0", `SAVEPOINT "savepoint_1"`, "UPDATE",
		`ROLLBACK TO SAVEPOINT "savepoint_1"`, `RELEASE SAVEPOINT "savepoint_1"`, "INSERT", "COMMIT"}, d.taken())

	d.gone = true
	err = r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
		_ = r.InTx(ctx, TxOptions{}, func(ctx context.Context) error { return exec(ctx, r, "UPDATE") })
		return exec(ctx, r, "INSERT")
	})
	require.ErrorIs(t, err, errBroken)
	assert.Equal(t, []string{"BEGIN 0", `SAVEPOINT "savepoint_1"`, "UPDATE", "ROLLBACK"}, d.taken(), "no savepoint is left")
}

// TestSavepointMendsWhatRowsBroke comes upon rows that are still open.
func TestSavepointMendsWhatRowsBroke(t *testing.T) {
	d, r, _ := newStrict(t)
	d.rows = "1,!"
	for _, read := range []int{0, 2} {
		require.NoError(t, r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
			var rows *sql.Rows
			_ = r.InTx(ctx, TxOptions{}, func(ctx context.Context) error {
				rows = query(ctx, t, r)
				for range read {
					rows.Next()
				}
				return errNo
			})
			defer func() { require.NoError(t, rows.Close()) }()
			return exec(ctx, r, "INSERT")
		}), "%d rows", read)
	}
}

func TestEndsThatFail(t *testing.T) {
	none := func(context.Context) error { return nil }
	write := func(r *Router) func(context.Context) error {
		return func(ctx context.Context) error { return exec(ctx, r, "INSERT") }
	}
	t.Run("rollback", func(t *testing.T) {
		d, r, _ := newStrict(t)
		d.fail("ROLLBACK", errRefusedIt)
		err := r.InTx(t.Context(), TxOptions{}, func(context.Context) error { return errNo })
		require.ErrorIs(t, err, errNo)
		require.ErrorIs(t, err, errRefusedIt, "joined")
	})
	t.Run("commit refused", func(t *testing.T) {
		d, r, _ := newStrict(t)
		d.fail("COMMIT", errRefusedIt)
		var aborted *TxAbortedError
		require.ErrorAs(t, r.InTx(t.Context(), TxOptions{}, write(r)), &aborted)
		require.ErrorIs(t, aborted, errRefusedIt)
	})
	t.Run("commit without answer", func(t *testing.T) {
		d, r, _ := newStrict(t)
		d.fail("COMMIT", errNoAnswer)
		before := r.lastWrite.Load()
		require.ErrorIs(t, r.InTx(t.Context(), TxOptions{Retry: 3}, write(r)), ErrOutcomeUnknown)
		assert.Greater(t, r.lastWrite.Load(), before, "it counts as a write")
		assert.EqualValues(t, 1, r.Stats().Unknown)
		var gone *UnavailableError
		require.ErrorAs(t, r.InTx(t.Context(), TxOptions{}, none), &gone, "there was nothing to write")
	})
	t.Run("savepoint", func(t *testing.T) {
		d, r, _ := newStrict(t)
		d.fail("ROLLBACK", errRefusedIt)
		var aborted *TxAbortedError
		err := r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
			require.ErrorIs(t, r.InTx(ctx, TxOptions{}, func(context.Context) error { return errNo }), errNo)
			return nil
		})
		require.ErrorAs(t, err, &aborted, "what could not be undone is not committed")
		require.ErrorIs(t, err, errRefusedIt)
	})
	t.Run("nested one still running", func(t *testing.T) {
		_, r, _ := newStrict(t)
		begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
		err := r.InTx(t.Context(), TxOptions{}, func(ctx context.Context) error {
			go func() {
				ended <- r.InTx(ctx, TxOptions{}, func(context.Context) error { close(begun); <-end; return nil })
			}()
			<-begun
			return nil
		})
		require.ErrorIs(t, err, errNestedRunning)
		close(end)
		require.ErrorIs(t, <-ended, ErrTxDone)
	})
}

// TestRetry counts the tries, on a bubble's clock.
func TestRetry(t *testing.T) {
	for name, row := range map[string]struct {
		opts   TxOptions
		err    error
		within time.Duration
		tries  int
	}{
		"as often as asked":       {TxOptions{Retry: 4}, errConflict, time.Hour, 5},
		"not without being asked": {TxOptions{}, errConflict, time.Hour, 1},
		"not another error":       {TxOptions{Retry: 4}, errRefusedIt, time.Hour, 1},
		"not beyond the deadline": {TxOptions{Retry: 1 << 20}, errConflict, 5 * time.Millisecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, r, _ := newStrict(t)
				ctx, cancel := context.WithTimeout(t.Context(), row.within)
				defer cancel()
				tries := 0
				err := r.InTx(ctx, row.opts, func(context.Context) error { tries++; return row.err })
				require.ErrorIs(t, err, row.err)
				if row.within < time.Second {
					assert.LessOrEqual(t, tries, row.tries)
				} else {
					assert.Equal(t, row.tries, tries)
				}
				require.NoError(t, ctx.Err())
			})
		})
	}
	t.Run("at COMMIT", func(t *testing.T) {
		d, r, _ := newStrict(t)
		d.fail("COMMIT", errConflict)
		tries := 0
		err := r.InTx(t.Context(), TxOptions{Retry: 3}, func(context.Context) error {
			if tries++; tries == 3 {
				d.fail("COMMIT", nil)
			}
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 3, tries)
	})
	t.Run("never what may have been committed", func(t *testing.T) {
		_, r, _ := newStrict(t)
		tries := 0
		err := r.InTx(t.Context(), TxOptions{Retry: 3}, func(context.Context) error {
			tries++
			return errors.Join(errConflict, &OutcomeUnknownError{Engine: "other/writer", Err: errNoAnswer})
		})
		require.ErrorIs(t, err, ErrOutcomeUnknown)
		assert.Equal(t, 1, tries)
	})
	t.Run("swallowed", func(t *testing.T) {
		d, r, _ := newStrict(t)
		d.fail("UPDATE", errConflict)
		tries := 0
		err := r.InTx(t.Context(), TxOptions{Retry: 3}, func(ctx context.Context) error {
			if tries++; tries == 3 {
				d.fail("UPDATE", nil)
			}
			_ = exec(ctx, r, "UPDATE")
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 3, tries)
	})
}

// TestWaitForASavepoint uses the outer context in a nested function, which can never go on: it is told
// so in the end.
func TestWaitForASavepoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, _ := newStrict(t)
		require.NoError(t, r.InTx(t.Context(), TxOptions{}, func(outer context.Context) error {
			return r.InTx(outer, TxOptions{Name: "inner"}, func(context.Context) error {
				began := time.Now()
				var open *SavepointOpenError
				require.ErrorAs(t, exec(outer, r, "UPDATE"), &open)
				assert.Equal(t, "inner_1", open.Savepoint)
				assert.Equal(t, savepointPatience, time.Since(began))
				return nil
			})
		}))
	})
}

// TestIsolation shows what the driver is asked for.
func TestIsolation(t *testing.T) {
	d, r, _ := newStrict(t)
	none := func(context.Context) error { return nil }
	for level, opts := range map[sql.IsolationLevel]TxOptions{
		sql.LevelDefault:        {},
		sql.LevelRepeatableRead: {ReadOnly: true}, // one snapshot
		sql.LevelReadCommitted:  {ReadOnly: true, Isolation: sql.LevelReadCommitted},
		sql.LevelSerializable:   {Isolation: sql.LevelSerializable},
	} {
		require.NoError(t, r.InTx(t.Context(), opts, none))
		assert.Equal(t, []string{fmt.Sprintf("BEGIN %d", level), "COMMIT"}, d.taken())
	}
}

// TestBeginMeetsADeadServer has nothing begun on a server that is down, and waits for it.
func TestBeginMeetsADeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "shop", 0, nil)
		b.driver.setDown("writer", true)
		var gone *UnavailableError
		require.ErrorAs(t, b.InTx(t.Context(), TxOptions{}, func(context.Context) error { panic("no") }), &gone)
		go func() {
			time.Sleep(100 * time.Millisecond)
			b.driver.setDown("writer", false)
		}()
		require.NoError(t, b.InTx(t.Context(), TxOptions{}, func(context.Context) error { return nil }))
	})
}
