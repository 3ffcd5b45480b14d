package routertest_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/routertest"
)

// While servers hang, die and lag, every acknowledged write is there once, replicas show prefixes of the
// log, and nobody waits for ever.
func TestUnderFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, rounds = 8, 40
		c := routertest.New(t, 2)
		w := writer(t, c)
		readers := []*binds.Engine{reader(t, c, 0), reader(t, c, 1)}
		run(t, w, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
		var acknowledged sync.Map
		var all sync.WaitGroup
		for i := range workers {
			all.Go(func() {
				for n := range rounds {
					id := i*rounds + n
					if write(w, id, n%3) == nil {
						acknowledged.Store(id, true)
					}
					if i < len(readers) { // an engine has one probe at a time
						atMost(t, readers[i], c)
					}
					look(readers[n%2])
					time.Sleep(time.Duration(i) * time.Millisecond)
				}
			})
		}
		stop := make(chan struct{})
		var nemesis sync.WaitGroup
		nemesis.Go(func() { torment(c, stop) })
		all.Wait()
		close(stop)
		nemesis.Wait()

		for _, s := range c.Servers() {
			s.Heal()
		}
		var missing int
		acknowledged.Range(func(id, _ any) bool {
			var n int
			require.NoError(t, w.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM t WHERE id = ?", id).Scan(&n))
			missing += 1 - n
			return true
		})
		assert.Zero(t, missing)
		for i, s := range c.Replicas() {
			s.SetLag(0)
			assert.Equal(t, c.Primary().Position(), s.Position())
			assert.Equal(t, count(t, w.DB()), count(t, readers[i].DB()))
			assert.LessOrEqual(t, s.Connections(), workers+1)
		}
	})
}

// write adds a row by one of three ways.
func write(e *binds.Engine, id, way int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	switch way {
	case 0:
		_, err := e.DB().ExecContext(ctx, "INSERT INTO t VALUES (?)", id)
		return err
	case 1:
		return e.DB().QueryRowContext(ctx, "INSERT INTO t VALUES (?) RETURNING id", id).Scan(&id)
	}
	tx, err := e.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after Commit
	if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (?)", id); err != nil {
		return err
	}
	return tx.Commit()
}

// atMost asks a replica, which may fail but not be ahead of its primary.
func atMost(t *testing.T, e *binds.Engine, c *routertest.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if p, err := e.Probe(ctx); err == nil {
		assert.LessOrEqual(t, p.Position, c.Primary().Position())
	}
}

// look reads a replica, which may fail.
func look(e *binds.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, _ = e.DB().ExecContext(ctx, "SELECT count(*) FROM t")
}

func torment(c *routertest.Cluster, stop <-chan struct{}) {
	dice := rand.New(rand.NewPCG(1, 2))
	tick := time.NewTicker(7 * time.Millisecond)
	defer tick.Stop()
	for {
		s := c.Servers()[dice.IntN(3)]
		switch dice.IntN(6) {
		case 0:
			s.Freeze()
			time.Sleep(30 * time.Millisecond)
			s.Thaw()
		case 1:
			s.Down()
			time.Sleep(3 * time.Millisecond)
			s.Up()
		case 2:
			s.LoseAnswer()
		case 3:
			s.SetLatency(time.Duration(dice.IntN(5)) * time.Millisecond)
		case 4:
			s.SetLag(time.Duration(dice.IntN(20)) * time.Millisecond)
		case 5:
			if !s.IsPrimary() {
				s.CrashRestart(dice.IntN(4))
			}
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}
