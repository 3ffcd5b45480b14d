package router

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Those who are refused take nothing from those who come after them, however many come at one time.
func TestRefusedReadsLeaveTheBudgetAsItIs(t *testing.T) {
	var worst time.Duration
	for range 5 {
		b := newBudget(100)
		var burst sync.WaitGroup
		start := make(chan struct{})
		for range 5_000 {
			burst.Go(func() {
				<-start
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				_ = b.take(ctx) // most are refused
			})
		}
		close(start)
		burst.Wait()
		wait, _ := b.turn(time.Hour)
		worst = max(worst, wait)
	}
	assert.LessOrEqual(t, worst, 100*time.Millisecond)
}
