package slow

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// streamFor releases reads for d in a bubble.
func streamFor(d time.Duration, do func(ctx context.Context, n int64) (int, error)) []read {
	var n atomic.Int64
	s := &stream{
		perSecond: 100, patience: 2 * time.Second, random: rand.New(rand.NewPCG(1, 1)),
		do: func(ctx context.Context, _ uint64) (int, error) { return do(ctx, n.Add(1)) },
	}
	stop := make(chan struct{})
	time.AfterFunc(d, func() { close(stop) })
	return s.run(context.Background(), time.Now(), stop)
}

func TestAStreamKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := streamFor(100*time.Second, func(context.Context, int64) (int, error) { return 2, nil })
		assert.InDelta(t, 10_000, len(reads), 400, "four standard deviations")
		for _, r := range reads {
			assert.Equal(t, 2, r.from)
			assert.Zero(t, r.took)
		}
	})
}

// A read that hangs keeps no later one from being released, and ends with its patience.
func TestAStreamWaitsForNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := streamFor(10*time.Second, func(ctx context.Context, n int64) (int, error) {
			if n%2 == 0 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			time.Sleep(time.Millisecond)
			return 1, nil
		})
		assert.InDelta(t, 1000, len(reads), 130)
		failed := 0
		for _, r := range reads {
			if r.from == fromNobody {
				failed++
				assert.Equal(t, 2*time.Second, r.took)
				continue
			}
			assert.Equal(t, time.Millisecond, r.took)
		}
		assert.InDelta(t, len(reads)/2, failed, 1)
	})
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &stream{perSecond: 100, patience: time.Hour, random: rand.New(rand.NewPCG(1, 1)), do: func(ctx context.Context, _ uint64) (int, error) {
			<-ctx.Done()
			return 0, errors.New("given up")
		}}
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		reads := s.run(ctx, start, nil)
		assert.NotEmpty(t, reads)
		assert.Equal(t, time.Second, time.Since(start))
	})
}
