package manager_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router/routertest"
)

// inCheckerBubble runs a test in a bubble, with a manager on a primary and a replica in memory.
func inCheckerBubble(t *testing.T, test func(t *testing.T, m *manager.DBManager, c *routertest.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := routertest.New(t, 1)
		m, err := manager.New(t.Context(), &manager.Config{Binds: []manager.BindConfig{{
			Key: "shop", Writer: binds.NewURI(c.WriterURI()), Readers: []manager.ReaderConfig{{URI: binds.NewURI(c.ReaderURIs()[0])}},
		}}}, manager.WithDrivers(c.Drivers()))
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		time.Sleep(time.Second)
		synctest.Wait()
		c.ResetStatements()
		test(t, m, c)
	})
}

// asked is how often the primary was asked by checks: each asks for the version once.
func asked(c *routertest.Cluster) int {
	n := 0
	for _, q := range c.Primary().Statements() {
		if q == "SELECT sqlite_version(), ''" {
			n++
		}
	}
	return n
}

// A flood of calls asks each server once in an interval.
func TestCheckerAsksOnceInAnInterval(t *testing.T) {
	inCheckerBubble(t, func(t *testing.T, m *manager.DBManager, c *routertest.Cluster) {
		checker := m.Checker(5 * time.Second)
		assert.Zero(t, asked(c))
		flood := func() {
			var left sync.WaitGroup
			for range 200 {
				left.Go(func() { assert.NoError(t, checker.Check(t.Context()).Ready()) })
			}
			left.Wait()
		}
		for second := range 20 {
			flood()
			assert.Equal(t, second/5+1, asked(c), second)
			time.Sleep(time.Second)
		}
		for range 20 {
			assert.NoError(t, m.Check(t.Context()).Ready())
		}
		assert.Equal(t, 4+20, asked(c), "Check itself asks each time")
	})
}

// Who gives up leaves the check to those who wait, and the report to the next call; and one that hangs holds nobody for longer
// than a check may take.
func TestCheckerIsNobodysOwn(t *testing.T) {
	inCheckerBubble(t, func(t *testing.T, m *manager.DBManager, c *routertest.Cluster) {
		checker := m.Checker(0)
		c.Primary().Freeze()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var patient *manager.Report
		var left sync.WaitGroup
		left.Go(func() {
			early := checker.Check(ctx) // its call begins the check
			assert.ErrorIs(t, early.Err(), context.DeadlineExceeded)
			assert.ErrorIs(t, early.Ready(), context.DeadlineExceeded)
			assert.Equal(t, 100*time.Millisecond, time.Since(began))
		})
		synctest.Wait()
		left.Go(func() { patient = checker.Check(t.Context()) })
		left.Wait()
		require.Len(t, patient.Binds, 1)
		assert.Equal(t, 3*time.Second, time.Since(began))
		require.Error(t, patient.Binds[0].Engines[0].Err, "it says what the check found, not that somebody gave up")
		assert.NotErrorIs(t, patient.Err(), context.Canceled)
		c.Primary().Thaw()
		assert.Same(t, patient, checker.Check(t.Context()), "within the interval")
		time.Sleep(manager.DefaultCheckInterval)
		assert.NoError(t, checker.Check(t.Context()).Binds[0].Engines[0].Err)
	})
}

// Close ends a check under way, and waits for it.
func TestCheckerEndsWithItsManager(t *testing.T) {
	inCheckerBubble(t, func(t *testing.T, m *manager.DBManager, c *routertest.Cluster) {
		checker := m.Checker(time.Minute)
		c.Primary().Freeze()
		done := make(chan *manager.Report)
		go func() { done <- checker.Check(context.Background()) }()
		synctest.Wait()
		began := time.Now()
		require.NoError(t, m.Close())
		assert.Less(t, time.Since(began), time.Second)
		<-done
		assert.ErrorIs(t, checker.Check(t.Context()).Err(), manager.ErrClosed)
		c.Primary().Thaw()
	})
}
