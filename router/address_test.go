package router_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// The writer's address leads to the primary and to a replica that trails, in turn. This process keeps to one of them, so
// that it reads what it has written, with readers and without.
func TestWriterAddressLeadsToSeveral(t *testing.T) {
	for name, change := range map[string]func(*router.Config){
		"without readers": func(cfg *router.Config) { cfg.Readers = nil },
		"with a reader":   func(cfg *router.Config) { cfg.Readers = cfg.Readers[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, change, func(t *testing.T, p *process) {
				primary, far := p.cluster.Primary(), p.cluster.Replicas()[1]
				far.SetLag(time.Hour)
				p.cluster.BalanceWriter(primary, far)
				session := router.NewSession(t.Context())
				p.readsItsWrites(t, session)
				assert.Equal(t, 1, strings.Count(p.log.String(), "writer's address leads to several servers"), p.log.String())
				assert.True(t, p.WriterLeadsToSeveral(t.Context()))
				far.Down()
				p.mustWrite(t, session, 51)
				assert.NotContains(t, p.log.String(), "writer changed", "it has always been the same")
			})
		})
	}
}

// readsItsWrites has a session write fifty times, on a new connection each, and read what it wrote.
func (p *process) readsItsWrites(t *testing.T, session context.Context) {
	t.Helper()
	p.Writer().DB().SetMaxIdleConns(-1) // each statement makes a connection
	for v := int64(1); v <= 50; v++ {
		p.mustWrite(t, session, v)
		value, route := p.mustRead(t, session)
		require.Equal(t, v, value, route)
		value, _ = p.mustRead(t, router.OnWriter(session))
		require.Equal(t, v, value)
		time.Sleep(10 * time.Millisecond)
	}
}

// The process begins on the replica: it keeps to the primary all the same, which alone can be written to.
func TestWriterAddressBeginsWithAReplica(t *testing.T) {
	for name, change := range map[string]func(*router.Config){
		"without readers": func(cfg *router.Config) { cfg.Readers = nil },
		"with a reader":   func(cfg *router.Config) { cfg.Readers = cfg.Readers[:1] },
	} {
		for _, first := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s/%d of them", name, first), func(t *testing.T) {
				inBubble(t, 2, nil, func(t *testing.T, other *process) {
					primary, far := other.cluster.Primary(), other.cluster.Replicas()[1]
					far.SetLag(time.Hour)
					servers := []*routertest.Server{primary}
					for range first {
						servers = append([]*routertest.Server{far}, servers...)
					}
					other.cluster.BalanceWriter(servers...)
					p := newProcess(t, other.cluster, change)
					p.readsItsWrites(t, router.NewSession(t.Context()))
				})
			})
		}
	}
}

// An address that has moved for good is followed.
func TestWriterAddressMoves(t *testing.T) {
	inBubble(t, 1, func(cfg *router.Config) { cfg.Readers = nil }, func(t *testing.T, p *process) {
		p.mustWrite(t, t.Context(), 7)
		old := p.cluster.Primary()
		p.cluster.Promote(p.cluster.Replicas()[0])
		old.Down()
		p.mustWrite(t, t.Context(), 8)
		value, _ := p.mustRead(t, t.Context())
		assert.EqualValues(t, 8, value)
		assert.False(t, p.WriterLeadsToSeveral(t.Context()))
		assert.NotContains(t, p.log.String(), "several servers")
	})
}

var withAndWithoutReaders = map[string]func(*router.Config){
	"without readers": func(cfg *router.Config) { cfg.Readers = nil },
	"with readers":    nil,
}

// An address that led to several servers leads to another one alone, while the one that this process kept to is still up: it is
// followed as soon as connections are made, not when the monitor's own connection grows old.
func TestWriterAddressOfSeveralMoves(t *testing.T) {
	for name, change := range withAndWithoutReaders {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, change, func(t *testing.T, p *process) {
				old, next := p.cluster.Primary(), p.cluster.Replicas()[0]
				p.cluster.BalanceWriter(next, old)
				session := router.NewSession(t.Context())
				p.readsItsWrites(t, session)
				require.True(t, p.WriterLeadsToSeveral(t.Context()))
				p.cluster.Promote(next)
				for _, s := range p.cluster.Servers() {
					s.SetLatency(70 * time.Millisecond) // sixteen connections take longer than a probe may
				}
				began := time.Now()
				p.mustWrite(t, session, 60)
				assert.Less(t, time.Since(began), 3*time.Second)
				for _, s := range p.cluster.Servers() {
					s.SetLatency(0)
				}
				value, route := p.mustRead(t, session)
				assert.EqualValues(t, 60, value, route)
				p.readsItsWrites(t, session)
			})
		})
	}
}

// Sixteen connections in a row lead to a replica that trails. The primary is not left for it, with readers and without.
func TestPrimaryIsNotLeftForAReplica(t *testing.T) {
	for name, change := range withAndWithoutReaders {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, change, func(t *testing.T, p *process) {
				primary, far := p.cluster.Primary(), p.cluster.Replicas()[1]
				far.SetLag(time.Hour)
				p.cluster.BalanceWriter(primary, far)
				session := router.NewSession(t.Context())
				p.readsItsWrites(t, session)
				require.True(t, p.WriterLeadsToSeveral(t.Context()))
				var turns []*routertest.Server
				for range 16 {
					turns = append(turns, far)
				}
				p.cluster.BalanceWriter(append(turns, primary)...)
				value, route := p.mustRead(t, router.OnWriter(session))
				assert.EqualValues(t, 50, value, route)
			})
		})
	}
}

// The address leads to a replica alone, and the pool has connections to the primary: they are used on.
func TestConnectionsToThePrimaryStay(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		primary, far := p.cluster.Primary(), p.cluster.Replicas()[1]
		p.cluster.BalanceWriter(primary, far)
		p.readsItsWrites(t, router.NewSession(t.Context()))
		p.Writer().DB().SetMaxIdleConns(4)
		tx, err := p.Writer().DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		p.mustWrite(t, t.Context(), 60) // on a second one, which is idle then
		second, err := p.Writer().DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		p.cluster.MoveWriter(far)
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.Error(t, p.write(short, 61), "it needs a third one")
		require.NoError(t, tx.Rollback())
		require.NoError(t, second.Rollback())
		time.Sleep(time.Second)
		p.mustWrite(t, t.Context(), 62)
	})
}

// It is a question that finds the address to lead elsewhere. No connection to the server of before is used on.
func TestWriterAddressIsFoundElsewhereByAQuestion(t *testing.T) {
	inBubble(t, 2, func(cfg *router.Config) { cfg.Readers = nil }, func(t *testing.T, p *process) {
		old, next := p.cluster.Primary(), p.cluster.Replicas()[0]
		p.cluster.BalanceWriter(next, old)
		p.readsItsWrites(t, router.NewSession(t.Context()))
		p.Writer().DB().SetMaxIdleConns(2)
		session := router.NewSession(t.Context())
		p.mustWrite(t, session, 60)
		p.cluster.Promote(next)     // the address leads there alone, and the old one is still up
		time.Sleep(2 * time.Minute) // the connection for questions is too old
		_, err := p.Writer().Probe(t.Context())
		require.ErrorIs(t, err, binds.ErrRedial)
		p.mustWrite(t, session, 70)
		tx, err := p.Writer().DB().BeginTx(t.Context(), nil) // so that the read is on another connection
		require.NoError(t, err)
		value, route := p.mustRead(t, session)
		assert.EqualValues(t, 70, value, route)
		require.NoError(t, tx.Rollback())
	})
}

// Who tries the writer's address waits for a server that hangs. Nobody else waits for longer than his own deadline.
func TestTriedAddressHoldsUpNobody(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		old := p.cluster.Primary()
		p.Writer().DB().SetMaxIdleConns(-1) // each statement makes a connection
		p.cluster.Promote(p.cluster.Replicas()[0])
		old.Freeze()
		p.cluster.BalanceWriter(p.cluster.Primary(), old)
		var running sync.WaitGroup
		for i := range 8 {
			running.Go(func() {
				limit := time.Duration(i+1) * 250 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				began := time.Now()
				_ = p.write(ctx, int64(i)) // it may be in time
				assert.LessOrEqual(t, time.Since(began), limit+10*time.Millisecond)
			})
		}
		running.Wait()
		old.Down()
		p.mustWrite(t, t.Context(), 9)
	})
}
