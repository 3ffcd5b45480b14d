package router_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

const (
	quick = 500 * time.Microsecond // how long a server takes that has time to spare
	slow  = 40 * time.Millisecond  // and the writer under a load that is more than it can do
)

// quicken gives all servers the same pace, and lets the process see it.
func (p *process) quicken(t *testing.T) {
	t.Helper()
	for _, s := range p.cluster.Servers() {
		s.SetLatency(quick)
	}
	for range 10 {
		p.mustRead(t, t.Context())
		time.Sleep(250 * time.Millisecond)
	}
}

// saturate lets the writer answer slowly and the replicas trail, and lets the process see it.
func (p *process) saturate(t *testing.T, lag time.Duration) {
	t.Helper()
	p.quicken(t)
	p.cluster.Primary().SetLatency(slow)
	for _, r := range p.cluster.Replicas() {
		r.SetLag(lag)
	}
	for i := range int64(20) {
		p.mustWrite(t, t.Context(), i)
		p.mustRead(t, t.Context())
	}
}

// afterWrite reads in ctx what was just written in it, and returns where, and how long that took.
func (p *process) afterWrite(t *testing.T, ctx context.Context) (route string, took time.Duration) {
	t.Helper()
	value := time.Now().UnixNano()
	p.mustWrite(t, ctx, value)
	began := time.Now()
	got, route := p.mustRead(t, ctx)
	took = time.Since(began)
	assert.Equal(t, value, got, route)
	return route, took
}

func onReader(route string) bool { return strings.HasPrefix(route, "shop/reader-") }

// TestABusyWriterIsSpared lets sessions write and read on while statements queue at the writer and
// readers idle.
func TestABusyWriterIsSpared(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.saturate(t, 5*time.Millisecond)
		const readsEach, sessions, workers = 9, 20, 8
		var mu sync.Mutex
		var served int
		var took time.Duration
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for range sessions {
					ctx := router.NewSession(t.Context())
					assert.NoError(t, p.write(ctx, 7))
					began := time.Now()
					for range readsEach {
						_, route, err := p.read(ctx)
						assert.NoError(t, err)
						mu.Lock()
						if onReader(route) {
							served++
						}
						mu.Unlock()
					}
					mu.Lock()
					took += time.Since(began)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		const reads = workers * sessions * readsEach
		assert.Greater(t, served, reads*95/100)
		assert.Less(t, took/reads, slow/4, "a read")
		t.Logf("%d of %d reads on readers, %v each", served, reads, took/reads)
	})
}

// TestAWaitingReadNeedsWhatWasWrittenBefore reads while another goroutine of the process writes on: every
// reader trails some write at any time.
func TestAWaitingReadNeedsWhatWasWrittenBefore(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.saturate(t, 5*time.Millisecond)
		stop, cancel := context.WithCancel(t.Context())
		var others sync.WaitGroup
		for range 4 {
			others.Go(func() {
				for value := int64(1); stop.Err() == nil; value++ {
					assert.NoError(t, p.write(t.Context(), value))
				}
			})
			time.Sleep(slow / 4) // a write ends every so often
		}
		const reads = 50
		served := 0
		for range reads {
			began := time.Now()
			_, route := p.mustRead(t, t.Context())
			assert.LessOrEqual(t, time.Since(began), 3*slow+20*time.Millisecond)
			if onReader(route) {
				served++
			}
		}
		cancel()
		others.Wait()
		assert.Greater(t, served, reads*9/10)
	})
}

// TestReadsThatDoNotWait goes through what the writer serves as fast as it can, slow or not.
func TestReadsThatDoNotWait(t *testing.T) {
	for reason, row := range map[string]struct {
		play func(t *testing.T, p *process) (*process, context.Context)
		want time.Duration
	}{
		"the writer has time": {func(t *testing.T, p *process) (*process, context.Context) {
			p.quicken(t)
			return p, router.NewSession(t.Context())
		}, quick},
		"the writer is far away": {func(t *testing.T, p *process) (*process, context.Context) {
			p.quicken(t)
			p.cluster.Primary().SetLatency(slow)
			return newProcess(t, p.cluster, nil), router.NewSession(t.Context()) // which has never known it any nearer
		}, slow},
		"another server is the writer, far away": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 0)
			p.cluster.Primary().Down()
			p.cluster.Promote(p.cluster.Replicas()[1])
			p.cluster.Primary().SetLatency(slow)
			time.Sleep(3 * time.Second)
			return p, router.NewSession(t.Context())
		}, slow},
		"hardly anything queues": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 0)
			p.cluster.Primary().SetLatency(4 * time.Millisecond)
			return p, router.NewSession(t.Context())
		}, 4 * time.Millisecond},
		"the queue takes much less time than a reader": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 100*time.Millisecond)
			p.cluster.Primary().SetLatency(10 * time.Millisecond)
			return p, router.NewSession(t.Context())
		}, 10 * time.Millisecond},
		"the readers have no time either": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 0)
			for _, r := range p.cluster.Replicas() {
				r.SetLatency(slow)
			}
			return p, router.NewSession(t.Context())
		}, slow},
		"it would take too long": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 200*time.Millisecond)
			return p, router.NewSession(t.Context())
		}, slow},
		"waiting pays for no read alone": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 80*time.Millisecond)
			p.cluster.Primary().SetLatency(slow / 2)
			return p, t.Context()
		}, slow / 2},
		"the readers stand still": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 0)
			for _, r := range p.cluster.Replicas() {
				r.PauseReplay()
			}
			p.mustWrite(t, t.Context(), 1)
			time.Sleep(time.Second)
			return p, router.NewSession(t.Context())
		}, slow},
		"no reader is up": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 0)
			for _, r := range p.cluster.Replicas() {
				r.Down()
			}
			time.Sleep(time.Second)
			return p, router.NewSession(t.Context())
		}, slow},
		"they are to go to the writer": {func(t *testing.T, p *process) (*process, context.Context) {
			p.saturate(t, 0)
			return p, router.OnWriter(router.NewSession(t.Context()))
		}, slow},
	} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, 2, nil, func(t *testing.T, p *process) {
				p, ctx := row.play(t, p)
				for range 20 {
					p.afterWrite(t, ctx) // so that what is known is of now
				}
				for range 20 {
					route, took := p.afterWrite(t, ctx)
					assert.False(t, onReader(route), route)
					assert.Equal(t, row.want, took)
				}
			})
		})
	}
}

// TestReadsInATransactionDoNotWait reads in transactions what was just written.
func TestReadsInATransactionDoNotWait(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.saturate(t, 5*time.Millisecond)
		require.NoError(t, p.InTx(t.Context(), router.TxOptions{}, func(ctx context.Context) error {
			for range 5 {
				_, took := p.afterWrite(t, ctx)
				assert.Equal(t, slow, took)
			}
			return nil
		}))
	})
}

// TestAReadThatMayNotFallBackFailsAtOnce: it spares the writer anyway.
func TestAReadThatMayNotFallBackFailsAtOnce(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.quicken(t)
		strict := newProcess(t, p.cluster, func(c *router.Config) { c.NoFallback = true })
		p.saturate(t, 5*time.Millisecond)
		for range 20 {
			strict.mustRead(t, router.OnReader(t.Context())) // has it see that
			time.Sleep(250 * time.Millisecond)
		}
		for range 20 {
			strict.mustWrite(t, t.Context(), 1)
			began := time.Now()
			_, _, err := strict.read(t.Context())
			assert.ErrorIs(t, err, router.ErrNoReader)
			assert.Zero(t, time.Since(began))
		}
	})
}

// TestNoReadWaitsForAReaderWhileTheWriterIsGone: no question is answered, so no reader is proved.
func TestNoReadWaitsForAReaderWhileTheWriterIsGone(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.saturate(t, 5*time.Millisecond)
		for _, r := range p.cluster.Replicas() {
			r.PauseReplay()
		}
		p.mustWrite(t, t.Context(), 7)
		p.cluster.Primary().Down()
		_, _, err := p.read(t.Context()) // the monitor notices meanwhile
		require.ErrorIs(t, err, router.ErrNoWriter)
		ctx, cancel := context.WithTimeout(t.Context(), slow/2)
		defer cancel()
		began := time.Now()
		_, _, err = p.read(ctx)
		require.ErrorIs(t, err, router.ErrNoWriter)
		assert.Less(t, time.Since(began), slow/2, "the writer was tried instead")
	})
}

// TestWaitingForAReaderHeedsItsCaller gives the waiting read a context that ends after the writer would have
// got the read.
func TestWaitingForAReaderHeedsItsCaller(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.saturate(t, 60*time.Millisecond)
		session := router.NewSession(t.Context())
		p.mustWrite(t, session, 7)
		p.cluster.ResetStatements()
		const patience = slow * 3 / 4
		ctx, cancel := context.WithTimeout(session, patience)
		defer cancel()
		began := time.Now()
		_, _, err := p.read(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, patience, time.Since(began))
		for _, s := range p.cluster.Servers() {
			assert.Empty(t, s.Statements())
		}
	})
}

// TestWaitingForAReaderEnds stops the readers at the moment when a read begins to wait.
func TestWaitingForAReaderEnds(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		for name, ctx := range map[string]context.Context{"alone": t.Context(), "in a session": router.NewSession(t.Context())} {
			p.saturate(t, 5*time.Millisecond)
			for _, r := range p.cluster.Replicas() {
				r.PauseReplay()
			}
			route, took := p.afterWrite(t, ctx)
			assert.Equal(t, fromWriter, route, name)
			assert.Greater(t, took, 2*slow, "%s: it did try", name)
			assert.Less(t, took, 4*slow, name)
			for _, r := range p.cluster.Replicas() {
				r.ResumeReplay()
			}
		}
	})
}
