package router_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// readOn reads in ctx without a pause for a while, and returns how many reads there were, how many
// of them readers served, when the first of these ended, and the longest.
func (p *process) readOn(t *testing.T, ctx context.Context, d time.Duration) (reads, served int, first, longest time.Duration) {
	t.Helper()
	start := time.Now()
	for time.Since(start) < d {
		began := time.Now()
		_, route := p.mustRead(t, ctx)
		longest = max(longest, time.Since(began))
		reads++
		if strings.HasPrefix(route, "shop/reader-") {
			if served++; served == 1 {
				first = time.Since(start)
			}
		}
	}
	return reads, served, first, longest
}

// TestASessionThatReadsOnRejoins lets sessions read without a pause after something has sent them to
// the writer: each read there shows more than readers have proved to show.
func TestASessionThatReadsOnRejoins(t *testing.T) {
	for reason, toWriter := range map[string]func(t *testing.T, ctx context.Context, p *process){
		"it wrote":                           func(t *testing.T, ctx context.Context, p *process) { p.mustWrite(t, ctx, 7) },
		"it read what only the writer shows": func(t *testing.T, ctx context.Context, p *process) { p.mustRead(t, router.OnWriter(ctx)) },
	} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, 2, nil, func(t *testing.T, p *process) {
				for _, s := range p.cluster.Servers() {
					s.SetLatency(500 * time.Microsecond)
				}
				for _, r := range p.cluster.Replicas() {
					r.SetLag(2 * time.Millisecond)
				}
				ctx := router.NewSession(t.Context())
				toWriter(t, ctx, p)
				reads, served, first, longest := p.readOn(t, ctx, time.Second)
				assert.Greater(t, served, reads*9/10)
				assert.Less(t, first, 40*time.Millisecond)
				assert.LessOrEqual(t, longest, 12*time.Millisecond)
				t.Logf("%d of %d reads on readers, the first after %v; the longest took %v", served, reads, first, longest)
			})
		})
	}
}

// TestWaitingToRejoinEnds lets a session read on while readers trail so far behind the writes of
// others that none ever covers its latest read.
func TestWaitingToRejoinEnds(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		const latency = 500 * time.Microsecond
		for _, s := range p.cluster.Servers() {
			s.SetLatency(latency)
		}
		ctx := router.NewSession(t.Context())
		p.mustWrite(t, ctx, 7)
		time.Sleep(time.Second)
		for _, r := range p.cluster.Replicas() {
			r.SetLag(200 * time.Millisecond)
		}
		stop, others := context.WithCancel(t.Context())
		ended := make(chan struct{})
		other := newProcess(t, p.cluster, nil)
		go func() {
			defer close(ended)
			for value := int64(8); stop.Err() == nil; value++ {
				assert.NoError(t, other.write(t.Context(), value))
				time.Sleep(time.Millisecond)
			}
		}()
		p.mustRead(t, router.OnWriter(ctx))
		const d = 2 * time.Second
		reads, served, _, longest := p.readOn(t, ctx, d)
		others()
		<-ended
		assert.Zero(t, served)
		waited := d - time.Duration(reads)*latency
		assert.LessOrEqual(t, waited, 150*time.Millisecond+latency)
		assert.GreaterOrEqual(t, waited, 150*time.Millisecond-latency, "it did try")
		assert.LessOrEqual(t, longest, 80*time.Millisecond+latency)

		p.mustWrite(t, ctx, 1)
		for _, r := range p.cluster.Replicas() {
			r.SetLag(0)
		}
		_, served, first, _ := p.readOn(t, ctx, time.Second)
		assert.NotZero(t, served, "a write lets it try again")
		assert.Less(t, first, 40*time.Millisecond)
	})
}

// TestWaitingToRejoinHeedsItsCaller gives the waiting read a context that ends.
func TestWaitingToRejoinHeedsItsCaller(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.cluster.Primary().SetLatency(500 * time.Microsecond)
		p.cluster.Replicas()[0].SetLatency(50 * time.Millisecond) // its probes take as long
		session := router.NewSession(t.Context())
		p.mustRead(t, router.OnWriter(session))
		start := time.Now()
		for {
			began := time.Now()
			ctx, cancel := context.WithTimeout(session, 2*time.Millisecond)
			_, _, err := p.read(ctx)
			cancel()
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 2*time.Millisecond, time.Since(began))
				return
			}
			require.Less(t, time.Since(start), 20*time.Millisecond, "a read waits by then")
		}
	})
}
