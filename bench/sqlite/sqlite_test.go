package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/bench/internal/load"
	"github.com/bindery-go/bindery/bench/internal/report"
)

func TestRun(t *testing.T) {
	s, err := Run(t.Context(), &report.Run{Quick: true})
	require.NoError(t, err)
	require.Len(t, s.Tables, 4)
	for _, table := range s.Tables {
		for _, row := range table.Rows {
			assert.NotContains(t, row, "", "%s: %v", table.Title, row)
		}
	}
	settings, mixed, counted, lost := s.Tables[0], s.Tables[1], s.Tables[2], s.Tables[3]
	require.Len(t, settings.Rows, len(setups))
	assert.Equal(t, []string{bindery, "wal", "NORMAL"}, settings.Rows[0][:3])
	assert.Equal(t, []string{firstTry, "delete", "FULL"}, settings.Rows[1][:3], "what the driver opens by default")
	for _, row := range settings.Rows[2:] {
		assert.Equal(t, []string{"wal", "NORMAL"}, row[1:3], "%s is as durable as bindery", row[0])
	}
	for _, table := range []*report.Table{mixed, counted} {
		require.Len(t, table.Rows, len(setups)*len(goroutines))
		for _, row := range table.Rows {
			if row[0] == bindery {
				assert.Equal(t, "0", row[len(row)-1], "%s: SQLITE_BUSY", table.Title)
			}
		}
	}
	require.Len(t, lost.Rows, len(setups))
	for _, row := range lost.Rows {
		assert.Equal(t, "0", row[3], "SQLite loses no update of %s", row[0])
	}
	require.Len(t, s.Bars, 5)
}

func storeOf(t *testing.T, name string) *store {
	t.Helper()
	for _, s := range setups {
		if s.name == name {
			st, err := create(t.Context(), s, t.TempDir())
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, st.close()) })
			return st
		}
	}
	t.Fatalf("no setup %q", name)
	return nil
}

func TestLostUpdatesAreFound(t *testing.T) {
	st := storeOf(t, bindery)
	var bothHaveRead, bothAreDone sync.WaitGroup
	bothHaveRead.Add(2)
	bothAreDone.Add(2)
	torn := *st
	torn.inTx = func(ctx context.Context, fn func(context.Context, builders) error) error {
		return fn(ctx, builders{st.sel, func(model any) *bun.UpdateQuery {
			bothHaveRead.Done()
			bothHaveRead.Wait()
			return st.upd(model)
		}})
	}
	c := &contender{cells: map[place]cell{}}
	res, err := load.Run(t.Context(), 2, time.Hour, 1, func(ctx context.Context, w *load.Worker) error {
		err := torn.counted(ctx, w)
		bothAreDone.Done()
		bothAreDone.Wait()
		return cmp.Or(err, errDone)
	})
	require.ErrorIs(t, err, errDone)
	c.cells[place{counting.name, 2}] = cell{res}
	c.counted, err = st.count(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2, c.committed())
	assert.EqualValues(t, 1, c.lost())
}

// errDone ends a load.
var errDone = errors.New("done")

func TestBusyIsCountedAndOtherErrorsEndTheRun(t *testing.T) {
	st := storeOf(t, firstTry)
	tx, err := st.all[0].BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "UPDATE counters SET value = 7")
	require.NoError(t, err)

	_, err = st.upd(&counter{ID: 1, Value: 8}).WherePK().Exec(t.Context())
	require.Error(t, err)
	assert.True(t, isBusy(err))
	assert.NoError(t, survive(err))

	require.NoError(t, tx.Rollback())
	err = st.sel(&counter{ID: 2}).WherePK().Scan(t.Context())
	assert.ErrorIs(t, survive(err), sql.ErrNoRows)
}

func TestSettingsMustAgree(t *testing.T) {
	st := storeOf(t, twoPools)
	_, err := st.pragma(t.Context(), "query_only")
	assert.EqualError(t, err, "sqlite: query_only is 0 for writes and 1 for reads")
}

func TestRatiosAreOfPairs(t *testing.T) {
	run := func(took time.Duration) *load.Result {
		t.Helper()
		res, err := load.Run(t.Context(), 1, 0, 1, nil)
		require.NoError(t, err)
		res.Elapsed = took
		return res
	}
	of := func(r *load.Result) float64 { return float64(r.Elapsed) }
	mine := cell{run(2), run(30), run(400)}
	base := cell{run(1), run(10), run(100)}
	assert.Equal(t, 3.0, mine.against(base, of), "the median of 2, 3 and 4")
	assert.Equal(t, 30.0, mine.median(of))
}
