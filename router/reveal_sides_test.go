package router_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
)

// roundRobinSessions has only sessions see writes, and readers take turns.
func roundRobinSessions(cfg *router.Config) {
	sessionWrites(cfg)
	cfg.Policy = new(router.RoundRobin)
}

// onReader2 returns a session that has read there, and what.
func onReader2(t *testing.T, p *process) (session context.Context, value int64) {
	t.Helper()
	for range 8 {
		session = router.NewSession(t.Context())
		value, route := p.mustRead(t, session)
		if route == fromReader2 {
			return session, value
		}
	}
	require.Fail(t, "nothing is read on reader-2")
	return nil, 0
}

// assertBothShow lets a session read twice side by side, the second time when the first one waits.
func assertBothShow(t *testing.T, p *process, session context.Context, want int64) {
	t.Helper()
	var reading sync.WaitGroup
	for range 2 {
		reading.Go(func() {
			value, route, err := p.read(session)
			assert.NoError(t, err)
			assert.Equal(t, want, value, route)
		})
		synctest.Wait()
	}
	reading.Wait()
}

// While one read of a session waits for the primary, another one does not pass it by.
func TestReadsSideBySideOnTheWriter(t *testing.T) {
	inBubble(t, 1, sessionWrites, func(t *testing.T, p *process) {
		session, done := aheadOf(t, p, 500*time.Millisecond)
		assertBothShow(t, p, router.OnWriter(session), 7)
		done()
	})
}

func TestReadsSideBySideOnThePrimaryAsReader(t *testing.T) {
	inBubble(t, 2, roundRobinSessions, func(t *testing.T, p *process) {
		other := failover(t, p, time.Minute)
		time.Sleep(time.Second)
		p.cluster.Primary().SetCommitWait(700 * time.Millisecond)
		var writing sync.WaitGroup
		writing.Go(func() { other.mustWrite(t, t.Context(), 500) })
		synctest.Wait()
		session, value := onReader2(t, p)
		require.EqualValues(t, 500, value)
		p.cluster.Servers()[2].Down()
		assertBothShow(t, p, session, 500)
		writing.Wait()
	})
}

// A session that was sent to the primary in vain has read nothing there: it is not bound to it.
func TestSessionThatWaitedInVainGoesBackToItsReader(t *testing.T) {
	for range 10 { // the policy leads it to the one or the other
		inBubble(t, 2, roundRobinSessions, func(t *testing.T, p *process) {
			other := failover(t, p, time.Minute)
			primary, replica := p.cluster.Primary(), p.cluster.Servers()[2]
			time.Sleep(time.Second)
			primary.SetCommitWait(time.Minute)
			go func() { _ = other.write(t.Context(), 500) }()
			synctest.Wait()
			session, value := onReader2(t, p)
			require.EqualValues(t, 500, value)
			replica.Down()
			short, cancel := context.WithTimeout(session, 300*time.Millisecond)
			defer cancel()
			_, _, err := p.read(short)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			replica.Up()
			time.Sleep(5 * time.Second)
			onReader2(t, p) // it serves again
			value, route := p.mustRead(t, session)
			assert.EqualValues(t, 500, value, route)
			assert.Equal(t, fromReader2, route)
			primary.SetCommitWait(0)
			time.Sleep(time.Minute)
		})
	}
}

// Readers of the last places share one bit: the primary's does not hide another one's.
func TestReaderOfTheLastPlacesThenThePrimary(t *testing.T) {
	inBubble(t, 65, roundRobinSessions, func(t *testing.T, p *process) {
		old, replicas := p.cluster.Primary(), p.cluster.Replicas()
		next, other := replicas[63], replicas[64]
		for _, s := range replicas[:63] {
			s.Down()
		}
		old.Down()
		p.cluster.Promote(next)
		p.mustWrite(t, t.Context(), 1)
		time.Sleep(3 * time.Second)
		next.SetCommitWait(2 * time.Second)
		go func() { _ = p.write(router.NewSession(t.Context()), 7) }()
		synctest.Wait()
		session := router.NewSession(t.Context())
		value, route := p.mustRead(t, session)
		for value != 7 {
			session = router.NewSession(t.Context())
			value, route = p.mustRead(t, session)
		}
		require.Contains(t, route, "reader-65")
		time.Sleep(time.Second)
		other.Down()
		value, route = p.mustRead(t, session)
		assert.EqualValues(t, 7, value, route)
		time.Sleep(3 * time.Second)
	})
}
