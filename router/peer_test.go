package router_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// amongPeers is inBubble on a cluster whose servers are equals.
func amongPeers(t *testing.T, nodes int, test func(t *testing.T, p *process)) {
	t.Helper()
	inBubble(t, nodes-1, nil, func(t *testing.T, p *process) {
		p.cluster.MakePeers()
		time.Sleep(time.Second)
		test(t, p)
	})
}

// Nodes that show writes late are asked until they show them: who has written never reads less.
func TestPeersProveThemselves(t *testing.T) {
	amongPeers(t, 3, func(t *testing.T, p *process) {
		for i, node := range p.cluster.Replicas() {
			node.SetLag(time.Duration(20*(i+1)) * time.Millisecond)
		}
		served := map[string]int{}
		session := router.NewSession(t.Context())
		for v := range int64(100) {
			p.mustWrite(t, session, v)
			value, route := p.mustRead(t, session)
			require.Equal(t, v, value, "at once, from %s", route)
			served[route]++
			time.Sleep(30 * time.Millisecond)
			value, route = p.mustRead(t, session)
			require.Equal(t, v, value, "after 30 ms, from %s", route)
			served[route]++
			time.Sleep(30 * time.Millisecond)
			value, route = p.mustRead(t, session)
			require.Equal(t, v, value, "after 60 ms, from %s", route)
			served[route]++
		}
		assert.Positive(t, served[fromReader1], "%v", served)
		assert.Greater(t, served[fromReader1]+served[fromReader2], 90, "%v", served)
	})
}

// A dead writer is no reason to read less, however long it is away: the nodes go on to prove themselves.
func TestPeersServeWithoutAWriter(t *testing.T) {
	amongPeers(t, 3, func(t *testing.T, p *process) {
		session := router.NewSession(t.Context())
		p.mustWrite(t, session, 7)
		p.cluster.Primary().Freeze()
		time.Sleep(4 * time.Second) // the monitor knows
		before := p.cluster.Replicas()[0].Probes()
		for range 60 {
			for _, ctx := range []context.Context{session, t.Context(), router.NewSession(t.Context()), router.MaxStale(t.Context(), time.Second)} {
				value, route := p.mustRead(t, ctx)
				assert.EqualValues(t, 7, value, route)
			}
			time.Sleep(time.Second)
		}
		assert.InDelta(t, 280, p.cluster.Replicas()[0].Probes()-before, 60, "every 250 ms, and with the writer")
		for _, h := range p.Health(t.Context()) {
			assert.NoError(t, h.Doubt)
			assert.True(t, h.Serving && h.LagKnown, h.Engine.Name())
			assert.LessOrEqual(t, h.Lag, 300*time.Millisecond)
		}
	})
}

// Others may write through other nodes while the writer does not answer: lag is counted on.
func TestLagOfPeersWithoutAWriter(t *testing.T) {
	inBubble(t, 2, func(cfg *router.Config) { cfg.Freshness.MaxLag = 300 * time.Millisecond }, func(t *testing.T, p *process) {
		p.cluster.MakePeers()
		time.Sleep(time.Second)
		other := newProcess(t, p.cluster, nil)
		p.cluster.Replicas()[0].PauseReplay()
		other.mustWrite(t, t.Context(), 7)
		p.cluster.Primary().Down()
		time.Sleep(700 * time.Millisecond) // the question to the node has not failed yet
		for range 20 {
			_, route := p.mustRead(t, t.Context())
			assert.Equal(t, fromReader2, route)
		}
	})
}

// A writer's address that leads to another node by now is not read from before that shows all there is.
func TestWriterMovesAmongPeers(t *testing.T) {
	amongPeers(t, 3, func(t *testing.T, p *process) {
		session, node := router.NewSession(t.Context()), p.cluster.Replicas()[0]
		node.PauseReplay()
		p.mustWrite(t, session, 7)
		p.cluster.Primary().Down()
		p.cluster.MoveWriter(node)
		ctx, cancel := context.WithTimeout(router.OnWriter(session), 2*time.Second)
		defer cancel()
		value, route, err := p.read(ctx)
		require.Error(t, err, "%d from %s", value, route)
		node.ResumeReplay()
		value, route = p.mustRead(t, router.OnWriter(session))
		assert.EqualValues(t, 7, value, route)
	})
}

// A node that cannot prove itself, or says that it is not ready, serves nobody who needs freshness.
func TestPeerThatProvesNothing(t *testing.T) {
	for reason, spoil := range map[string]func(*routertest.Server){
		"it is held back": func(s *routertest.Server) { s.PauseReplay() },
		"it has a doubt":  func(s *routertest.Server) { s.SetDoubt(assert.AnError) },
	} {
		t.Run(reason, func(t *testing.T) {
			amongPeers(t, 3, func(t *testing.T, p *process) {
				spoil(p.cluster.Replicas()[0])
				for v := range int64(50) {
					p.mustWrite(t, t.Context(), v+1)
					time.Sleep(100 * time.Millisecond)
					value, route := p.mustRead(t, t.Context())
					require.Equal(t, v+1, value, route)
					require.NotEqual(t, fromReader1, route)
				}
			})
		})
	}
}

// That the writer's node was restarted makes nothing void: a session stays on its reader.
func TestPeersOutliveTheWritersStart(t *testing.T) {
	amongPeers(t, 2, func(t *testing.T, p *process) {
		session := router.NewSession(t.Context())
		p.mustWrite(t, session, 7)
		time.Sleep(1500 * time.Millisecond) // two looks are 1.25 s apart, and the first may have been under way
		_, route := p.mustRead(t, session)
		require.Equal(t, fromReader1, route)
		p.cluster.Primary().CrashRestart(0)
		require.NoError(t, p.write(t.Context(), 8), "on a new connection, to a new start")
		time.Sleep(time.Second)
		_, route = p.mustRead(t, session)
		assert.Contains(t, p.log.String(), "another node of its cluster, or was restarted")
		assert.Equal(t, fromReader1, route)
		assert.NotContains(t, p.log.String(), "readers prove their freshness anew")
	})
}

// A token asks whoever resumes for what there is by then, and costs no question.
func TestTokenAmongPeers(t *testing.T) {
	amongPeers(t, 2, func(t *testing.T, p *process) {
		node := p.cluster.Replicas()[0]
		node.SetLag(50 * time.Millisecond)
		other := newProcess(t, p.cluster, nil)
		other.mustRead(t, t.Context())
		time.Sleep(time.Second)
		session := router.NewSession(t.Context())
		p.mustWrite(t, session, 7)
		asked := p.cluster.Primary().Probes()
		token, err := router.SessionFrom(session).Token(session)
		require.NoError(t, err)
		require.Equal(t, asked, p.cluster.Primary().Probes())

		resumed, err := router.ResumeSession(t.Context(), token)
		require.NoError(t, err)
		value, route := other.mustRead(t, resumed)
		assert.EqualValues(t, 7, value, route)
		time.Sleep(1500 * time.Millisecond) // two looks are 1.25 s apart, and the first may have been under way
		value, route = other.mustRead(t, resumed)
		assert.EqualValues(t, 7, value)
		assert.Equal(t, fromReader1, route, "it is proved by now")
		require.NoError(t, router.SessionFrom(resumed).Err())
	})
}

// A node of another cluster proves nothing here.
func TestPeersOfTwoClusters(t *testing.T) {
	amongPeers(t, 3, func(t *testing.T, p *process) {
		stranger := p.cluster.Replicas()[0]
		stranger.Promote()
		time.Sleep(time.Second)
		health := p.Health(t.Context())
		assert.ErrorContains(t, health[0].Doubt, "another cluster than the writer")
		p.mustWrite(t, t.Context(), 7)
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			value, route := p.mustRead(t, t.Context())
			assert.EqualValues(t, 7, value, route)
		}
	})
}

// Nodes that cannot prove anything for a while, as after the loss of another one, serve what they have proved.
func TestPeersThatProveNothingForAWhile(t *testing.T) {
	amongPeers(t, 3, func(t *testing.T, p *process) {
		p.mustWrite(t, t.Context(), 7)
		time.Sleep(time.Second)
		session := router.NewSession(t.Context())
		p.mustRead(t, session)
		other := newProcess(t, p.cluster, nil)
		for _, node := range p.cluster.Replicas() {
			node.PauseReplay()
		}
		other.mustWrite(t, t.Context(), 8)
		p.cluster.Primary().Down()
		time.Sleep(2 * time.Second)
		for range 4 {
			for _, ctx := range []context.Context{session, t.Context()} {
				value, route := p.mustRead(t, ctx)
				assert.EqualValues(t, 7, value, route)
			}
			time.Sleep(500 * time.Millisecond)
		}
		// A new connection to a node is one to the node that has proved what it serves.
		for _, reader := range p.cluster.Replicas() {
			reader.SetLatency(20 * time.Millisecond) // reads side by side need connections of their own
		}
		var reading sync.WaitGroup
		for range 20 {
			reading.Go(func() {
				value, route := p.mustRead(t, t.Context())
				assert.EqualValues(t, 7, value, route)
			})
		}
		reading.Wait()
		assert.NotContains(t, p.log.String(), "reader is down")
		_, route, err := p.read(router.MaxStale(t.Context(), time.Second))
		require.ErrorIs(t, err, router.ErrNoWriter, route)
		time.Sleep(10 * time.Second)
		_, route, err = p.read(t.Context())
		require.ErrorIs(t, err, router.ErrNoWriter, "beyond max_lag: %s", route)
	})
}
