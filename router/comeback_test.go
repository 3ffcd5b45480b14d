package router_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// A reader whose probes work while its reads do not is left alone for longer and longer, and serves again soon after it can.
func TestReaderThatFailsItsReads(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		failed, sick := 0, p.cluster.Replicas()[0]
		sick.FailStatements(func(string) error {
			failed++
			return routertest.ErrBusy
		})
		for range 2000 { // 20 seconds
			_, route := p.mustRead(t, router.NewSession(t.Context()))
			require.NotContains(t, route, "shop/reader-1")
			time.Sleep(10 * time.Millisecond)
		}
		lines := strings.Count(p.log.String(), "engine=shop/reader-1")
		t.Logf("%d reads failed, %d lines in the log", failed, lines)
		assert.LessOrEqual(t, failed, 15)
		assert.LessOrEqual(t, lines, 30)

		sick.FailStatements(nil)
		served := func() bool {
			for range 20 {
				if _, route := p.mustRead(t, router.NewSession(t.Context())); route == fromReader1 {
					return true
				}
			}
			return false
		}
		began := time.Now()
		for !served() {
			time.Sleep(10 * time.Millisecond)
		}
		assert.LessOrEqual(t, time.Since(began), 11*time.Second)
	})
}
