package router

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pickThen is a policy that lets something happen between the choice and its use.
type pickThen struct {
	at   int
	then func()
}

func (p pickThen) Pick(readers []*Reader) *Reader {
	if p.then != nil {
		p.then()
	}
	return readers[p.at]
}

// TestSession_staysOnlyWhereNothingOlderShows goes through the ways in which a session comes to an
// engine that may show less than another one has shown it.
func TestSession_staysOnlyWhereNothingOlderShows(t *testing.T) {
	const ahead, behind = 200 * time.Millisecond, 100 * time.Millisecond
	const now = 150 * time.Millisecond // between the two horizons
	for reason, row := range map[string]struct {
		play func(r *Router, b *sessionBind, v *view, fresh, stale *Reader)
		want int // the reader that serves next: 0 is fresh, 1 stale
	}{
		"it stays where its reads went": {func(r *Router, b *sessionBind, v *view, _, stale *Reader) {
			r.policy = pickThen{at: 1}
			_, l := b.choose(r, v, noNeed)
			b.saw(l, now)
		}, 1},
		"a read that may be stale moves it nowhere": {func(r *Router, b *sessionBind, v *view, _, stale *Reader) {
			r.policy = pickThen{at: 0}
			_, l := b.choose(r, v, noNeed)
			b.saw(l, now)
			b.leaves(stale.lease.Load())
			b.saw(stale.lease.Load(), now)
		}, 0},
		"a read past the router counts": {func(r *Router, b *sessionBind, v *view, _, stale *Reader) {
			r.policy = pickThen{at: 1}
			_, l := b.choose(r, v, noNeed)
			b.saw(l, 1)
			b.saw(&r.writerLease, now)
		}, 0},
		"a read that ends while another is routed counts": {func(r *Router, b *sessionBind, v *view, fresh, stale *Reader) {
			b.at.Store(fresh.lease.Load())
			onlyStale := &view{fit: []*Reader{stale, stale}, horizons: []time.Duration{behind, behind}}
			r.policy = pickThen{then: func() { b.saw(fresh.lease.Load(), now) }}
			_, l := b.choose(r, onlyStale, noNeed)
			b.saw(l, now)
		}, 0},
		"the server behind its reader is another now": {func(r *Router, b *sessionBind, v *view, _, stale *Reader) {
			r.policy = pickThen{at: 1}
			_, l := b.choose(r, v, noNeed)
			b.saw(l, now)
			stale.lease.Store(&lease{reader: stale})
		}, 0},
	} {
		t.Run(reason, func(t *testing.T) {
			readers := []*Reader{new(Reader), new(Reader)}
			for _, reader := range readers {
				reader.lease.Store(&lease{reader: reader})
			}
			v := &view{fit: readers, horizons: []time.Duration{ahead, behind}, up: readers}
			r := &Router{line: newLine(nil), readers: readers}
			b := &sessionBind{router: r, needs: new(needs)}
			row.play(r, b, v, readers[0], readers[1])
			r.policy = pickThen{at: 0}
			got, _ := b.choose(r, v, noNeed)
			assert.Same(t, readers[row.want], got)
		})
	}
}

// TestARead_outlivesItsServer lets what is known of a reader become void between the choice of it and
// its answer, or its error: neither counts.
func TestARead_outlivesItsServer(t *testing.T) {
	for reason, refusal := range map[string]error{
		"it answers":                    nil,
		"it has not even got the table": errors.New("no such table"),
	} {
		t.Run(reason, func(t *testing.T) {
			var b *bench
			voided := false
			b = newBench(t, "shop", 2, func(c *Config) {
				c.Freshness.MaxLag = -1
				c.Policy = pickThen{then: func() {
					if !voided {
						voided = true
						b.readers[0].lease.Store(&lease{reader: b.readers[0]})
					}
				}}
			})
			b.driver.setError("reader-1", refusal)
			ctx, route := Explain(t.Context())
			rows, err := b.db.NewSelect().ColumnExpr("1").Rows(ctx)
			require.NoError(t, err)
			require.NoError(t, rows.Close())
			assert.True(t, voided)
			assert.Equal(t, b.readers[1].Name(), route.Engine())
		})
	}
}
