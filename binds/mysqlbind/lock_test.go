package mysqlbind

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

func TestLockName(t *testing.T) {
	assert.Len(t, LockName("app", "reports"), 64, "the longest name that MySQL takes")
	assert.NotEqual(t, LockName("app", "reports"), LockName("other", "reports"))
	assert.NotEqual(t, LockName("app", "a"), LockName("app", "A"))
}

// lockServer is a server that answers GET_LOCK with one row after the other, and notes the waits.
type lockServer struct {
	rows  [][]string
	asked []string
}

func (a *lockServer) ask(_ context.Context, query string) ([]string, error) {
	a.asked = append(a.asked, query)
	row := a.rows[0]
	a.rows = a.rows[1:]
	return row, nil
}

// MySQL waits for whole seconds; the rest of a wait is spent here.
func TestLockWaitsOnMySQL(t *testing.T) {
	free, taken := []string{"0", "1"}, []string{"0", "0"}
	for name, row := range map[string]struct {
		wait  time.Duration
		rows  [][]string
		waits []string
		took  time.Duration
		want  bool
	}{
		"at once":           {0, [][]string{taken}, []string{"0.000"}, 0, false},
		"whole seconds":     {2500 * time.Millisecond, [][]string{taken}, []string{"2.000"}, 0, false},
		"less than one":     {300 * time.Millisecond, [][]string{taken, free}, []string{"0.000", "0.000"}, 300 * time.Millisecond, true},
		"less, but free":    {300 * time.Millisecond, [][]string{free}, []string{"0.000"}, 0, true},
		"less, and in vain": {300 * time.Millisecond, [][]string{taken, taken}, []string{"0.000", "0.000"}, 300 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &lockServer{rows: row.rows}
				l := &lock{ask: server.ask, name: "n", whole: true}
				start := time.Now()
				got, err := l.Acquire(t.Context(), row.wait)
				require.NoError(t, err)
				assert.Equal(t, row.want, got)
				assert.Equal(t, row.took, time.Since(start))
				var want []string
				for _, w := range row.waits {
					want = append(want, fmt.Sprintf("SELECT @@global.read_only, GET_LOCK('n', %s)", w))
				}
				assert.Equal(t, want, server.asked)
			})
		})
	}
}

func TestLockAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		row  []string
		want error
	}{
		"a wait that was killed": {[]string{"0", ""}, errLockNull},
		"a read-only server":     {[]string{"1", "1"}, binds.ErrNotPrimary},
		"NO_LOCK, newer MariaDB": {[]string{"NO_LOCK", "1"}, binds.ErrNotPrimary},
	} {
		server := &lockServer{rows: [][]string{row.row}}
		_, err := (&lock{ask: server.ask}).Acquire(t.Context(), time.Second)
		require.ErrorIs(t, err, row.want, name)
	}
	for name, row := range map[string]struct {
		row  []string
		want error
	}{
		"nobody's":           {[]string{"", "0"}, errLockGone},
		"another session's":  {[]string{"0", "0"}, errLockGone},
		"a read-only server": {[]string{"1", "ON"}, binds.ErrNotPrimary},
	} {
		server := &lockServer{rows: [][]string{row.row}}
		_, err := (&lock{ask: server.ask}).Check(t.Context())
		require.ErrorIs(t, err, row.want, name)
	}
}
