package router_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router"
)

// latency is how long each server of these tests takes to answer.
const latency = time.Millisecond

// atRest runs a test on a bind with two readers that nobody has read from for an hour.
func atRest(t *testing.T, change func(*router.Config), test func(t *testing.T, p *process)) {
	t.Helper()
	inBubble(t, 2, change, func(t *testing.T, p *process) {
		for _, s := range p.cluster.Servers() {
			s.SetLatency(latency)
		}
		for range 20 { // so that no reader is unmeasured
			p.mustRead(t, t.Context())
		}
		time.Sleep(time.Hour)
		test(t, p)
	})
}

// value reads the row by a context that says nothing, as most reads are.
func (p *process) value(t *testing.T) int64 {
	t.Helper()
	row := counter{ID: 1}
	require.NoError(t, p.db.NewSelect().Model(&row).WherePK().Scan(context.Background()))
	return row.Value
}

// probes returns how many probes each server has answered.
func (p *process) probes() []int {
	var n []int
	for _, s := range p.cluster.Servers() {
		n = append(n, s.Probes())
	}
	return n
}

// probesDuring returns how many probes the servers have answered while fn ran, all together and the
// primary alone.
func (p *process) probesDuring(fn func()) (all, primary int) {
	synctest.Wait()
	before := p.probes()
	fn()
	synctest.Wait()
	for i, n := range p.probes() {
		all += n - before[i]
	}
	return all, p.probes()[0] - before[0]
}

// TestProbesAnHour counts what a bind with two readers costs its servers. A look at all three is 3.
func TestProbesAnHour(t *testing.T) {
	const looksAtRest = 60
	strict := func(c *router.Config) { c.NoFallback = true }
	anyLag := func(c *router.Config) { c.Freshness.MaxLag = -1 }
	every := func(d time.Duration) func(*testing.T, *process) {
		return func(t *testing.T, p *process) {
			other := newProcess(t, p.cluster, nil)
			other.Close() // its looks would be counted
			for i := range int64(time.Hour / d) {
				other.mustWrite(t, t.Context(), i)
				time.Sleep(d)
				require.Equal(t, i, p.value(t))
				time.Sleep(3 * latency)
				_, route := p.mustRead(t, t.Context())
				require.Contains(t, []string{fromReader1, fromReader2}, route)
			}
		}
	}
	idle := func(*testing.T, *process) { time.Sleep(time.Hour) }
	for reason, row := range map[string]struct {
		change      func(*router.Config)
		hour        func(*testing.T, *process)
		least, most int // looks
	}{
		"nobody reads":                          {nil, idle, looksAtRest * 8 / 10, looksAtRest},
		"nobody reads, and any lag is accepted": {anyLag, idle, looksAtRest * 8 / 10, looksAtRest},
		"nobody reads, but a reader must serve": {strict, idle, 2500, 3600 * 4 / 5},
		"read every 10 s":                       {nil, every(10 * time.Second), 2500, 5000},
		"read every 2 minutes":                  {nil, every(2 * time.Minute), 1200, 2000},
		"its health is asked for every 10 s": {nil, func(t *testing.T, p *process) {
			for range 360 {
				time.Sleep(10 * time.Second)
				for _, h := range p.Health(t.Context()) {
					require.True(t, h.Serving && h.LagKnown)
				}
			}
		}, 360, 3 * 360},
		"a reader is down": {nil, func(t *testing.T, p *process) {
			p.cluster.Replicas()[0].Down()
			time.Sleep(time.Hour)
			assert.Contains(t, p.log.String(), `msg="reader is down: its reads go elsewhere" engine=shop/reader-1`)
		}, looksAtRest * 5 / 10, looksAtRest},
		"a reader trails": {nil, func(t *testing.T, p *process) {
			p.mustWrite(t, t.Context(), 1)
			p.cluster.Replicas()[0].PauseReplay()
			p.mustWrite(t, t.Context(), 2)
			time.Sleep(time.Hour)
		}, looksAtRest * 8 / 10, looksAtRest + 3},
		"the writer is down": {nil, func(t *testing.T, p *process) {
			p.cluster.Primary().Down()
			time.Sleep(time.Hour)
			assert.Contains(t, p.log.String(), `msg="writer does not answer"`)
		}, 0, 2},
	} {
		t.Run(reason, func(t *testing.T) {
			atRest(t, row.change, func(t *testing.T, p *process) {
				all, primary := p.probesDuring(func() { row.hour(t, p) })
				t.Logf("%d probes in an hour, %d of the primary", all, primary)
				assert.LessOrEqual(t, all, 3*row.most)
				assert.GreaterOrEqual(t, all, 3*row.least)
			})
		})
	}
	t.Run("never read", func(t *testing.T) {
		inBubble(t, 2, nil, func(t *testing.T, p *process) {
			q := newProcess(t, p.cluster, nil)
			p.Close()
			all, _ := q.probesDuring(func() { time.Sleep(2 * time.Minute) })
			assert.LessOrEqual(t, all, 3*60, "for the first minute it is expected to be read")
			all, _ = q.probesDuring(func() { time.Sleep(time.Hour) })
			assert.LessOrEqual(t, all, 3*looksAtRest)
			assert.GreaterOrEqual(t, all, 3*looksAtRest*8/10)
		})
	})
}

// TestFirstReadAfterARest reads once, and then again.
func TestFirstReadAfterARest(t *testing.T) {
	const down = "shop/writer (read, readers_down)"
	for reason, row := range map[string]struct {
		change func(*router.Config)
		before func(t *testing.T, p *process, other *process) // during the rest
		ctx    func(context.Context) context.Context
		value  int64
		routes []string // one of them
		within time.Duration
		quiet  bool // nothing was worth a word
	}{
		"a reader serves":        {value: 1, routes: []string{fromReader1, fromReader2}, within: 20 * latency},
		"a session is served":    {ctx: router.NewSession, value: 1, routes: []string{fromReader1, fromReader2}, within: 20 * latency},
		"it may be a minute old": {ctx: maxStale(time.Minute), value: 1, routes: []string{fromReader1, fromReader2}, within: 20 * latency},
		"on a strict bind nothing is different": {
			change: func(c *router.Config) { c.NoFallback = true },
			value:  1, routes: []string{fromReader1, fromReader2}, within: 3 * latency,
		},
		"any lag is accepted: no look is waited for": {
			change: func(c *router.Config) { c.Freshness.MaxLag = -1 },
			before: func(_ *testing.T, p *process, _ *process) { p.cluster.Primary().Freeze() },
			value:  1, routes: []string{fromReader1, fromReader2}, within: 3 * latency,
		},
		"a reader that has stopped does not serve": {
			before: func(t *testing.T, p *process, other *process) {
				p.cluster.Replicas()[0].PauseReplay()
				other.mustWrite(t, t.Context(), 2)
				time.Sleep(20 * time.Second)
			},
			value: 2, routes: []string{fromReader2, fromWriter}, within: 20 * latency, // whoever is asked first
		},
		"all readers have stopped: the writer serves": {
			before: func(t *testing.T, p *process, other *process) {
				p.cluster.Replicas()[0].PauseReplay()
				p.cluster.Replicas()[1].PauseReplay()
				other.mustWrite(t, t.Context(), 2)
				time.Sleep(20 * time.Second)
			},
			value: 2, routes: []string{fromWriter}, within: 20 * latency,
		},
		"any reader serves, however stale": {
			before: func(t *testing.T, p *process, other *process) {
				p.cluster.Replicas()[0].PauseReplay()
				p.cluster.Replicas()[1].PauseReplay()
				other.mustWrite(t, t.Context(), 2)
				time.Sleep(20 * time.Second)
			},
			ctx: router.OnReader, value: 1, routes: []string{hinted1, hinted2}, within: 3 * latency,
		},
		"the writer is down": {
			before: func(_ *testing.T, p *process, _ *process) { p.cluster.Primary().Down() },
			value:  1, routes: []string{fromReader1, fromReader2}, within: 20 * latency,
		},
		"the writer has been down for long": {
			before: func(_ *testing.T, p *process, _ *process) { p.cluster.Primary().Down(); time.Sleep(time.Hour) },
			value:  1, routes: []string{fromReader1, fromReader2}, within: 20 * latency,
		},
		"the writer hangs": {
			before: func(_ *testing.T, p *process, _ *process) { p.cluster.Primary().Freeze() },
			value:  1, routes: []string{fromReader1, fromReader2}, within: time.Second + 20*latency,
		},
		"the writer hangs, and no reader was up to date when it was asked": {
			before: func(t *testing.T, p *process, other *process) {
				for _, r := range p.cluster.Replicas() {
					r.SetLag(100 * time.Millisecond)
				}
				for range 1800 {
					other.mustWrite(t, t.Context(), 2)
					time.Sleep(50 * time.Millisecond)
				}
				p.cluster.Primary().Freeze()
				time.Sleep(time.Second)
			},
			value: 2, routes: []string{fromReader1, fromReader2}, within: time.Second + 20*latency,
		},
		"a reader hangs": {
			before: func(_ *testing.T, p *process, _ *process) { p.cluster.Replicas()[0].Freeze() },
			value:  1, routes: []string{fromReader2}, within: time.Second + 20*latency, // if it is within max_lag by the last look
		},
		"a reader is down, and the other is waited for": {
			before: func(_ *testing.T, p *process, _ *process) {
				p.cluster.Replicas()[0].Down()
				time.Sleep(3 * time.Minute)
			},
			value: 1, routes: []string{fromReader2}, within: 20 * latency,
		},
		"all readers hang: the writer serves when their time is over": {
			before: func(_ *testing.T, p *process, _ *process) {
				p.cluster.Replicas()[0].Freeze()
				p.cluster.Replicas()[1].Freeze()
			},
			value: 1, routes: []string{fromWriter, down}, within: 2*time.Second + 20*latency,
		},
		"a reader that hung when it was asked is not waited for": {
			before: func(_ *testing.T, p *process, _ *process) {
				p.cluster.Replicas()[0].Freeze()
				p.cluster.Replicas()[1].Freeze()
				time.Sleep(3 * time.Minute)
			},
			value: 1, routes: []string{down}, within: 20 * latency,
		},
		"the primary was replaced": {
			before: func(t *testing.T, p *process, other *process) {
				p.cluster.Replicas()[0].Promote()
				time.Sleep(time.Second)
				other.mustWrite(t, t.Context(), 2)
			},
			value: 2, routes: nil, within: time.Minute,
		},
		"the servers closed the connections of probes": {
			before: func(_ *testing.T, p *process, _ *process) {
				for _, s := range p.cluster.Servers() {
					s.Down()
					s.Up()
				}
			},
			value: 1, routes: []string{fromReader1, fromReader2}, within: 20 * latency, quiet: true,
		},
		"the readers prove nothing": {
			before: func(_ *testing.T, p *process, _ *process) {
				for _, r := range p.cluster.Replicas() {
					r.SetDoubt(errors.New("no position today"))
				}
			},
			value: 1, routes: []string{fromWriter, down}, within: 20 * latency, // down: found out under way
		},
	} {
		t.Run(reason, func(t *testing.T) {
			atRest(t, row.change, func(t *testing.T, p *process) {
				other := newProcess(t, p.cluster, nil)
				other.mustWrite(t, t.Context(), 1)
				time.Sleep(90 * time.Second)
				if row.before != nil {
					row.before(t, p, other)
				}
				ctx := t.Context()
				if row.ctx != nil {
					ctx = row.ctx(ctx)
				}
				began, said := time.Now(), p.log.String()
				value, route := p.mustRead(t, ctx)
				took := time.Since(began)
				t.Logf("%s after %v", route, took)
				assert.Equal(t, row.value, value)
				if row.routes != nil {
					assert.Contains(t, row.routes, route)
				}
				assert.LessOrEqual(t, took, row.within)
				if row.quiet {
					assert.Equal(t, said, p.log.String())
				}
				if !strings.Contains(p.log.String(), "reader is down") {
					assert.NotContains(t, p.log.String(), "the writer serves all reads", "that nobody looked is no news")
				}
			})
		})
	}
}

const (
	hinted1 = "shop/reader-1 (read, hint_reader)"
	hinted2 = "shop/reader-2 (read, hint_reader)"
)

func maxStale(d time.Duration) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return router.MaxStale(ctx, d) }
}

// TestReaderDBAfterARest reads by a DB that only readers may serve; they were down during the rest.
func TestReaderDBAfterARest(t *testing.T) {
	read := func(p *process) (time.Duration, error) {
		db, began := bun.NewDB(p.Writer().DB(), p.db.Dialect(), bun.WithConnResolver(p.ReaderOnly())), time.Now()
		err := db.NewSelect().Model(&counter{ID: 1}).WherePK().Scan(context.Background())
		return time.Since(began), err
	}
	outage := func(t *testing.T, p *process) {
		for _, r := range p.cluster.Replicas() {
			r.Down()
		}
		time.Sleep(2 * time.Minute)
	}
	t.Run("they are back", func(t *testing.T) {
		atRest(t, nil, func(t *testing.T, p *process) {
			outage(t, p)
			for _, r := range p.cluster.Replicas() {
				r.Up()
			}
			time.Sleep(time.Second)
			took, err := read(p)
			require.NoError(t, err)
			assert.LessOrEqual(t, took, 20*latency)
		})
	})
	t.Run("they are not", func(t *testing.T) {
		atRest(t, nil, func(t *testing.T, p *process) {
			outage(t, p)
			took, err := read(p)
			require.ErrorIs(t, err, router.ErrNoReader)
			assert.LessOrEqual(t, took, 2*time.Second)
			took, err = read(p)
			require.ErrorIs(t, err, router.ErrNoReader)
			assert.Zero(t, took, "that is known now")
		})
	})
}

// TestAReaderThatTrailsServesAfterARest has one reader trail by more than it may to come back, and less
// than it may to stay.
func TestAReaderThatTrailsServesAfterARest(t *testing.T) {
	inBubble(t, 2, roundRobin, func(t *testing.T, p *process) {
		other := newProcess(t, p.cluster, nil)
		p.cluster.Replicas()[1].SetLag(3 * time.Second) // of 10
		write := func(d time.Duration, read func()) {
			for began := time.Now(); time.Since(began) < d; time.Sleep(250 * time.Millisecond) {
				other.mustWrite(t, t.Context(), 1)
				read()
			}
		}
		served := make(map[string]int)
		read := func() { _, route := p.mustRead(t, t.Context()); served[route]++ }
		write(5*time.Second, func() {})
		write(5*time.Second, read)
		require.NotZero(t, served[fromReader2], "before the rest it serves")
		write(3*time.Minute, func() {})
		write(4*time.Second, read)
		clear(served)
		write(4*time.Second, read)
		assert.NotZero(t, served[fromReader1])
		assert.NotZero(t, served[fromReader2])
		assert.NotContains(t, p.log.String(), "the writer serves all reads")
	})
}

// TestAReadOutlastsTheBeginningOfARest has a read last so long that its bind rests when its reader fails.
func TestAReadOutlastsTheBeginningOfARest(t *testing.T) {
	slow := &slowPick{}
	inBubble(t, 2, func(c *router.Config) { c.Policy = slow }, func(t *testing.T, p *process) {
		slow.then = func() {
			slow.then = nil
			time.Sleep(2 * time.Minute)
			p.cluster.Replicas()[0].Down()
		}
		_, route := p.mustRead(t, t.Context())
		assert.Equal(t, fromReader2, route)
	})
}

// slowPick takes the first reader, and its time.
type slowPick struct{ then func() }

func (p *slowPick) Pick(readers []*router.Reader) *router.Reader {
	if p.then != nil {
		p.then()
	}
	return readers[0]
}

func TestTheWaitAfterARestHeedsItsCaller(t *testing.T) {
	atRest(t, nil, func(t *testing.T, p *process) {
		p.cluster.Primary().Freeze()
		ctx, cancel := context.WithTimeout(t.Context(), 5*latency)
		defer cancel()
		began := time.Now()
		_, _, err := p.read(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 5*latency, time.Since(began))
	})
}

func TestNobodyWaitsForAClosedRouter(t *testing.T) {
	atRest(t, nil, func(t *testing.T, p *process) {
		p.Close()
		began := time.Now()
		p.mustRead(t, t.Context())
		assert.LessOrEqual(t, time.Since(began), 5*latency)
	})
}

// TestTokensAtRest writes during a rest, hands the session on to a process that rests, too, and reads
// there. The writer was down when the monitors looked last.
func TestTokensAtRest(t *testing.T) {
	atRest(t, nil, func(t *testing.T, p *process) {
		other := newProcess(t, p.cluster, nil)
		other.mustRead(t, t.Context())
		p.cluster.Primary().Down()
		time.Sleep(3 * time.Minute)
		p.cluster.Primary().Up()
		ctx := router.NewSession(t.Context())
		p.mustWrite(t, ctx, 7)
		token, err := router.SessionFrom(ctx).Token(ctx)
		require.NoError(t, err, "that the writer was down a minute ago is no reason")
		time.Sleep(time.Second)
		ctx, err = router.ResumeSession(t.Context(), token)
		require.NoError(t, err)
		value, route := other.mustRead(t, ctx)
		assert.EqualValues(t, 7, value)
		assert.Contains(t, []string{fromReader1, fromReader2}, route)
	})
}
