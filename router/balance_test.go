package router_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// fillPool leaves n idle connections to whatever the first reader's address leads to.
func (p *process) fillPool(t *testing.T, n int) {
	t.Helper()
	db := p.Readers()[0].Engine().DB()
	db.SetMaxIdleConns(n)
	for range n {
		if conn, err := db.Conn(t.Context()); err == nil { // one that finds a stranger is refused
			defer func() { assert.NoError(t, conn.Close()) }()
		}
	}
}

// readsBack lets another process and a session write in turn for a while, and checks that the session
// reads its own writes and never an older value. It returns how often the reader
// served in the second half.
func (p *process) readsBack(t *testing.T, other *process, d time.Duration, value int64) (last int64, served int) {
	t.Helper()
	session := router.NewSession(t.Context())
	for start := time.Now(); time.Since(start) < d; value++ {
		writer := p
		if value%2 == 0 {
			writer = other
		}
		ctx := session
		if value%4 == 1 { // what no session waits for
			ctx = context.WithoutCancel(t.Context())
		}
		require.NoError(t, writer.write(ctx, value))
		if value%4 != 3 {
			time.Sleep(100 * time.Millisecond)
		}
		got, route := p.mustRead(t, session)
		require.GreaterOrEqual(t, got, last, "after %v by %s", time.Since(start), route)
		if writer == p && ctx == session {
			require.Equal(t, value, got, "after %v by %s", time.Since(start), route)
		}
		last = got
		if time.Since(start) > d/2 && strings.HasPrefix(route, "shop/reader-1") {
			served++
		}
		time.Sleep(20 * time.Millisecond)
	}
	return value, served
}

func only1(c *router.Config) { c.Readers = c.Readers[:1] }

// TestAReadersAddressMoves lets the address of a reader lead to another replica while the one of
// before stays up and falls behind: the pool still has connections to that.
func TestAReadersAddressMoves(t *testing.T) {
	for reason, row := range map[string]struct {
		notice func(t *testing.T, p *process)
		within time.Duration
	}{
		"found out by a probe":          {func(*testing.T, *process) {}, 2 * time.Minute},
		"found out by a new connection": {func(t *testing.T, p *process) { p.fillPool(t, 8) }, 4 * time.Second},
	} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, 2, only1, func(t *testing.T, p *process) {
				other := newProcess(t, p.cluster, only1)
				p.fillPool(t, 4)
				value, _ := p.readsBack(t, other, time.Second, 1)
				p.cluster.Balance(0, p.cluster.Replicas()[1])
				p.cluster.Replicas()[0].PauseReplay()
				row.notice(t, p)
				_, served := p.readsBack(t, other, row.within, value)
				assert.Greater(t, served, 0, "the replica at the new address serves")
			})
		})
	}
}

// TestALoadBalancersReplicaIsLeftAlone takes all but one replica away from behind a reader's address,
// after connections to several were made that proved nothing.
func TestALoadBalancersReplicaIsLeftAlone(t *testing.T) {
	inBubble(t, 2, only1, func(t *testing.T, p *process) {
		other := newProcess(t, p.cluster, only1)
		near, far := p.cluster.Replicas()[0], p.cluster.Replicas()[1]
		far.SetLag(time.Hour)
		p.cluster.Balance(0, near, far)
		p.fillPool(t, 8)
		time.Sleep(time.Second)
		synctest.Wait()
		n := 8
		require.Eventually(t, func() bool {
			// Not always as many: the address leads to its servers in turn, and the monitor's connection must
			// not be of the same turn for ever.
			n = 5 + n%4
			p.fillPool(t, n)
			p.mustRead(t, t.Context())
			time.Sleep(time.Second)
			return strings.Contains(p.log.String(), "leads to several servers")
		}, time.Minute, time.Second)
		value, served := p.readsBack(t, other, 10*time.Second, 1)
		assert.Zero(t, served, "it serves nothing that must be fresh")

		p.cluster.Balance(0, near)
		value, _ = p.readsBack(t, other, 11*time.Second, value) // the monitor asks that one again
		p.cluster.Balance(0, far)
		p.fillPool(t, 8) // and these prove nothing
		p.cluster.Balance(0, near)
		value, served = p.readsBack(t, other, time.Minute, value)
		assert.Zero(t, served, "a minute is not enough to be sure")
		_, served = p.readsBack(t, other, 3*time.Minute, value)
		assert.Greater(t, served, 0)
	})
}
