package router_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/router"
)

// Reads find a reader's server restarted before the monitor does. The reader did not fail: once it is proved anew, it serves as
// much as the other.
func TestReaderThatRestartedGetsItsShare(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		for range 200 { // both are measured
			p.mustRead(t, t.Context())
			time.Sleep(10 * time.Millisecond)
		}
		p.cluster.Replicas()[0].CrashRestart(0)
		for range 20 {
			p.mustRead(t, router.OnReader(t.Context()))
		}
		time.Sleep(2 * time.Second)
		served := map[string]int{}
		for range 500 {
			_, route := p.mustRead(t, t.Context())
			served[route]++
			time.Sleep(10 * time.Millisecond)
		}
		assert.Greater(t, served[fromReader1], 100, "%v", served)
	})
}
