package router_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

const fromStandby = "shop/writer-replica (read, plain_read)"

// failover lets replica-1 be promoted after the primary's death. The old primary comes back under the writer's address
// as a replica that trails by lag, and other is a process that writes to the new one.
func failover(t *testing.T, p *process, lag time.Duration) (other *process) {
	t.Helper()
	c := p.cluster
	old := c.Primary()
	old.Down()
	c.Replicas()[0].Promote()
	c.Rejoin(old)
	old.SetLag(lag)
	old.Up()
	c.MoveWriter(c.Primary())
	other = newProcess(t, c, nil)
	other.mustWrite(t, t.Context(), 100) // on a connection that stays with the new primary
	c.MoveWriter(old)
	return other
}

// The leader dies, a reader is promoted, and the old leader comes back under the writer's address as a standby that
// trails: it is read like any other replica, and not written to.
func TestWriterIsAReplica(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.mustWrite(t, t.Context(), 7)
		session := router.NewSession(t.Context())
		p.mustRead(t, session)
		other := failover(t, p, 30*time.Second)
		time.Sleep(time.Second)
		seen, served := int64(0), map[string]int{}
		for v := int64(101); v < 161; v++ {
			other.mustWrite(t, t.Context(), v)
			time.Sleep(500 * time.Millisecond)
			value, route := p.mustRead(t, session)
			assert.GreaterOrEqual(t, value, seen, "the session does not go back")
			seen = value
			served[route]++
			value, route = p.mustRead(t, t.Context())
			assert.GreaterOrEqual(t, value, v-20, "max_lag is 10 s")
			served[route]++
		}
		assert.EqualValues(t, 160, seen)
		assert.Positive(t, served[fromReader1], "the new primary: %v", served)
		assert.Positive(t, served[fromReader2], "its replica: %v", served)
		assert.Equal(t, 120, served[fromReader1]+served[fromReader2], "%v", served)
		assert.Contains(t, p.log.String(), "writer's server is a replica")
		assert.Contains(t, p.log.String(), "a reader's server is the primary")

		began := time.Now()
		err := p.write(t.Context(), 7)
		var gone *router.UnavailableError
		require.ErrorAs(t, err, &gone)
		assert.True(t, gone.ReadOnly, "%v", err)
		assert.InDelta(t, 3, time.Since(began).Seconds(), 0.3, "it waited for a primary")
		err = p.db.NewSelect().Model(&counter{ID: 1}).WherePK().Scan(router.OnWriter(t.Context()))
		require.ErrorAs(t, err, &gone, "nobody is told that this is the newest state")
		require.ErrorAs(t, p.InTx(t.Context(), router.TxOptions{}, func(context.Context) error { return nil }), &gone)
	})
}

// Two readers' addresses lead to the primary, while the writer's leads to a replica. Neither has the other asked, on and on.
func TestTwoAddressesOfThePrimary(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		other := failover(t, p, time.Second)
		second := p.cluster.Servers()[2]
		p.cluster.Balance(1, p.cluster.Primary())
		second.Down()
		second.Up()
		time.Sleep(2 * time.Second)
		before := p.cluster.Primary().Probes()
		for v := range int64(100) {
			other.mustWrite(t, t.Context(), v)
			p.mustRead(t, t.Context())
			time.Sleep(100 * time.Millisecond)
		}
		assert.Less(t, p.cluster.Primary().Probes()-before, 600, "in ten seconds, by two processes")
	})
}

// A write that waits for a primary is carried out as soon as the writer's address leads to one.
func TestWritesWaitForAPrimary(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		failover(t, p, 0)
		time.Sleep(time.Second)
		began := time.Now()
		time.AfterFunc(700*time.Millisecond, func() { p.cluster.MoveWriter(p.cluster.Primary()) })
		p.mustWrite(t, t.Context(), 200)
		assert.InDelta(t, 700, time.Since(began).Milliseconds(), 260)
		value, route := p.mustRead(t, t.Context())
		assert.EqualValues(t, 200, value, route)
		time.Sleep(time.Second)
		value, route = p.mustRead(t, t.Context())
		assert.EqualValues(t, 200, value)
		assert.Contains(t, []string{fromReader1, fromReader2}, route, "the server of reader-1 is the writer's now")
		assert.Contains(t, p.log.String(), "writer is the primary again")
	})
}

// The old primary that is level with the new one serves reads, by an engine of its own.
func TestWriterAsReplicaServes(t *testing.T) {
	inBubble(t, 1, func(cfg *router.Config) { cfg.Policy = new(router.RoundRobin) }, func(t *testing.T, p *process) {
		other := failover(t, p, 0)
		time.Sleep(time.Second)
		served := map[string]int{}
		for v := int64(101); v < 131; v++ {
			other.mustWrite(t, t.Context(), v)
			time.Sleep(time.Second)
			value, route := p.mustRead(t, t.Context())
			assert.GreaterOrEqual(t, value, v-1)
			served[route]++
		}
		assert.Positive(t, served[fromReader1], "%v", served)
		assert.Positive(t, served[fromStandby], "%v", served)
		assert.Len(t, p.Readers(), 1, "it is none of those that were listed")
		assert.Len(t, p.Health(t.Context()), 1)
	})
}

// A server at a reader's address that calls itself a primary is believed only if it descends from the primary that is
// known, and holds what that had.
func TestStrangersDoNotLead(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.mustWrite(t, t.Context(), 7)
		session := router.NewSession(t.Context())
		p.mustWrite(t, session, 8)
		stranger := newProcess(t, routertest.New(t, 0), nil)
		stranger.createTable(t)
		failover(t, p, time.Hour)
		p.cluster.Balance(0, stranger.cluster.Primary())
		p.cluster.Primary().Down()
		time.Sleep(5 * time.Second)
		for range 5 {
			_, route, err := p.read(session)
			require.ErrorIs(t, err, router.ErrNoWriter, route)
		}
		assert.NotContains(t, p.log.String(), "a reader's server is the primary")
	})
}

// The writer restarts, and is away again before the readers have been compared with it: they are as late as they were.
func TestVoidedIsNotNeverAsked(t *testing.T) {
	for reason, late := range map[string]bool{"late readers": true, "readers in time": false} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, 2, nil, func(t *testing.T, p *process) {
				for _, r := range p.cluster.Replicas() {
					if late {
						r.PauseReplay()
					}
				}
				for i := range int64(120) { // 20 minutes
					p.mustWrite(t, router.NewSession(t.Context()), i)
					time.Sleep(10 * time.Second)
					p.mustRead(t, router.NewSession(t.Context()))
				}
				time.Sleep(time.Second)
				primary := p.cluster.Primary()
				primary.CrashRestart(0)
				primary.SetLatency(time.Millisecond)
				// Its connection finds the new start; the monitor, which has to connect, too, is not told in time.
				p.mustWrite(t, router.NewSession(t.Context()), 119)
				primary.Down()
				require.Contains(t, p.log.String(), "its address leads to another server")
				for range 60 {
					value, route, err := p.read(router.NewSession(t.Context()))
					if late {
						require.ErrorIs(t, err, router.ErrNoWriter, "%d from %s", value, route)
					} else {
						require.NoError(t, err)
						assert.EqualValues(t, 119, value, route)
					}
					time.Sleep(time.Second)
				}
			})
		})
	}
}

// A write that is refused because the server may not write was not carried out: it waits like one that found no server.
func TestRefusedWriteIsSentAgain(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.mustWrite(t, t.Context(), 7)
		primary := p.cluster.Primary()
		primary.FailNext(routertest.ErrReadOnly)
		p.mustWrite(t, t.Context(), 8)
		value, _ := p.mustRead(t, t.Context())
		assert.EqualValues(t, 8, value)

		refused := 0
		primary.FailStatements(func(query string) error {
			if query == "UPDATE counters SET value = 9" {
				refused++
				return routertest.ErrReadOnly
			}
			return nil
		})
		_, err := p.db.NewRaw("UPDATE counters SET value = 9").Exec(t.Context())
		var gone *router.UnavailableError
		require.ErrorAs(t, err, &gone)
		assert.True(t, gone.ReadOnly)
		assert.Equal(t, 2, refused, "a primary that refuses twice has a reason of its own")
	})
}

// A reader whose sessions see other data serves nothing, neither stale reads nor those of Reader(), until that is mended.
func TestOtherView(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		p.cluster.Primary().SetSetting("the database", "shop")
		p.cluster.Replicas()[0].SetSetting("the database", "shop")
		p.cluster.Replicas()[1].SetSetting("the database", "audit")
		time.Sleep(3 * time.Second)
		for range 20 {
			_, route := p.mustRead(t, t.Context())
			assert.Equal(t, fromReader1, route)
			_, route = p.mustRead(t, router.OnReader(t.Context()))
			assert.Equal(t, "shop/reader-1 (read, hint_reader)", route)
		}
		assert.Contains(t, p.log.String(), `the database is \"audit\", there \"shop\"`)
		var other *router.OtherViewError
		require.ErrorAs(t, p.Health(t.Context())[1].Down, &other)
		p.Readers()[0].Engine().DB().SetMaxIdleConns(-1)
		p.cluster.Replicas()[0].SetSetting("the database", "audit")
		_, route := p.mustRead(t, t.Context())
		assert.Equal(t, "shop/writer (read, readers_down)", route, "a new connection proves that, too")
		for _, r := range p.cluster.Replicas() {
			r.SetSetting("the database", "shop")
		}
		time.Sleep(time.Second)
		_, route = p.mustRead(t, t.Context())
		assert.Contains(t, []string{fromReader1, fromReader2}, route)
	})
}
