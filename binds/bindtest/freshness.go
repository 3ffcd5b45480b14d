package bindtest

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// freshness holds the rule to a server: a reader that covers what the writer said after t0 shows every
// write acknowledged before t0.
func (s *suite) freshness(t *testing.T) {
	loads := s.Positions.Loads
	if len(loads) == 0 {
		loads = []Load{{Reason: "load"}}
	}
	for _, l := range loads {
		t.Run("fresh under "+l.Reason, func(t *testing.T) { s.freshUnder(t, l) })
	}
}

func (s *suite) freshUnder(t *testing.T, l Load) {
	if l.Setup != nil {
		l.Setup(t)
	}
	w, r := s.open(t, "bindtest/writer", cmp.Or(l.Writer, s.Writer)), s.replica(t)
	s.table(t, w, "bindtest_probed", "writer INTEGER PRIMARY KEY, n INTEGER")
	AwaitCovered(t, w, r)
	writing := startWrites(t, w)
	defer writing.stop()
	checks := cmp.Or(l.Checks, 300)
	for range checks {
		writing.check(t, w, r)
	}
	t.Logf("%d checks, %v", checks, writing)
}

// writes are several sessions that write increasing numbers.
type writes struct {
	acknowledged [4]atomic.Int64 // of each session, the last number
	permits      chan struct{}   // to write; they keep replay from falling behind for good
	cancel       func()
	done         sync.WaitGroup
}

func startWrites(t *testing.T, w *binds.Engine) *writes {
	c, cancel := context.WithCancel(ctx(t))
	ws := &writes{permits: make(chan struct{}, 100), cancel: cancel}
	for i := range ws.acknowledged {
		exec(t, w, fmt.Sprintf("INSERT INTO bindtest_probed VALUES (%d, 0)", i))
		ws.done.Go(func() {
			for ws.permitted(c) {
				n := ws.acknowledged[i].Load() + 1
				q := fmt.Sprintf("UPDATE bindtest_probed SET n = %d WHERE writer = %d", n, i)
				if !assert.NoError(t, second(w.DB().ExecContext(context.WithoutCancel(c), q))) {
					return
				}
				ws.acknowledged[i].Store(n)
			}
		})
	}
	return ws
}

func (ws *writes) permitted(ctx context.Context) bool {
	select {
	case <-ws.permits:
		return true
	case <-ctx.Done():
		return false
	}
}

func (ws *writes) permitMore() {
	for {
		select {
		case ws.permits <- struct{}{}:
		default:
			return
		}
	}
}

func (ws *writes) stop() {
	ws.cancel()
	ws.done.Wait()
}

// check compares what the reader shows once it covers the writer with what was acknowledged before.
func (ws *writes) check(t *testing.T, w, r *binds.Engine) {
	ws.permitMore()
	var before [len(ws.acknowledged)]int64
	for i := range before {
		before[i] = ws.acknowledged[i].Load()
	}
	AwaitCovered(t, w, r)
	rows, err := r.DB().QueryContext(ctx(t), "SELECT writer, n FROM bindtest_probed")
	require.NoError(t, err)
	defer func() { assert.NoError(t, rows.Close()) }()
	shown := 0
	for ; rows.Next(); shown++ {
		var i int
		var n int64
		require.NoError(t, rows.Scan(&i, &n))
		require.GreaterOrEqual(t, n, before[i], "writer %d", i)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, len(before), shown, "rows that were written long before")
}

func (ws *writes) String() string {
	var n int64
	for i := range ws.acknowledged {
		n += ws.acknowledged[i].Load()
	}
	return fmt.Sprintf("%d writes", n)
}
