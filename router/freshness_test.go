package router_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router"
)

// doors are the ways in which a write can reach the writer.
var doors = map[string]func(ctx context.Context, p *process, value int64) error{
	"builder": func(ctx context.Context, p *process, v int64) error { return p.write(ctx, v) },
	"raw": func(ctx context.Context, p *process, v int64) error {
		_, err := p.db.NewRaw("UPDATE counters SET value = ?", v).Exec(ctx)
		return err
	},
	"returning": func(ctx context.Context, p *process, v int64) error {
		return p.db.NewRaw("UPDATE counters SET value = ? RETURNING value", v).Scan(ctx, new(int64))
	},
	"rows closed early": func(ctx context.Context, p *process, v int64) error {
		rows, err := p.db.QueryContext(ctx, "UPDATE counters SET value = ? RETURNING value", v)
		if err != nil {
			return err
		}
		return rows.Close()
	},
	"writer's DB": func(ctx context.Context, p *process, v int64) error {
		db := bun.NewDB(p.Writer().DB(), p.db.Dialect(), bun.WithConnResolver(p.WriterOnly()))
		_, err := db.NewUpdate().Model(&counter{ID: 1, Value: v}).WherePK().Exec(ctx)
		return err
	},
	"transaction": func(ctx context.Context, p *process, v int64) error {
		return p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model(&counter{ID: 1, Value: v}).WherePK().Exec(ctx)
			return err
		})
	},
	"savepoint": func(ctx context.Context, p *process, v int64) error {
		return p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			return tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewUpdate().Model(&counter{ID: 1, Value: v}).WherePK().Exec(ctx)
				return err
			})
		})
	},
	"connection": func(ctx context.Context, p *process, v int64) error {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return err
		}
		_, err = conn.NewUpdate().Model(&counter{ID: 1, Value: v}).WherePK().Exec(ctx)
		return errors.Join(err, conn.Close())
	},
	"prepared statement": func(ctx context.Context, p *process, v int64) error {
		stmt, err := p.db.PrepareContext(ctx, "UPDATE counters SET value = ?")
		if err != nil {
			return err
		}
		_, err = stmt.ExecContext(ctx, v)
		return errors.Join(err, stmt.Close())
	},
	"bare sql.DB": func(ctx context.Context, p *process, v int64) error {
		_, err := p.db.DB.ExecContext(ctx, "UPDATE counters SET value = ?", v)
		return err
	},
	"native, reported": func(ctx context.Context, p *process, v int64) error {
		native, err := p.Writer().Native()
		if err != nil {
			return err
		}
		_, err = native.ExecContext(ctx, "UPDATE counters SET value = ?", v)
		router.Wrote(ctx, p.Router)
		return err
	},
}

// TestReadYourWrites writes through every door while the replicas lag for ever, and reads at once.
func TestReadYourWrites(t *testing.T) {
	for name, write := range doors {
		for scope, begin := range map[string]func(context.Context) context.Context{
			"process": func(ctx context.Context) context.Context { return ctx },
			"session": router.NewSession,
		} {
			t.Run(name+", "+scope, func(t *testing.T) {
				inBubble(t, 2, nil, func(t *testing.T, p *process) {
					ctx := begin(t.Context())
					_, route := p.mustRead(t, ctx)
					assert.Contains(t, route, "shop/reader-", "nothing written yet")
					for _, r := range p.cluster.Replicas() {
						r.SetLag(time.Hour)
					}
					require.NoError(t, write(ctx, p, 7))
					for range 10 {
						value, route := p.mustRead(t, ctx)
						assert.EqualValues(t, 7, value)
						assert.Equal(t, fromWriter, route)
						time.Sleep(time.Second)
					}
				})
			})
		}
	}
}

// TestReadersRejoin looks at how long after a write the readers serve again.
func TestReadersRejoin(t *testing.T) {
	for _, lag := range []time.Duration{0, 3 * time.Millisecond, 200 * time.Millisecond} {
		t.Run(lag.String(), func(t *testing.T) {
			inBubble(t, 2, nil, func(t *testing.T, p *process) {
				for _, r := range p.cluster.Replicas() {
					r.SetLag(lag)
				}
				p.mustWrite(t, t.Context(), 7)
				wrote := time.Now()
				route := ""
				for route != fromReader1 && route != fromReader2 {
					time.Sleep(time.Millisecond)
					var value int64
					value, route = p.mustRead(t, t.Context())
					require.EqualValues(t, 7, value)
					require.Less(t, time.Since(wrote), time.Minute)
				}
				t.Logf("lag %v: readers serve again after %v", lag, time.Since(wrote))
				assert.LessOrEqual(t, time.Since(wrote), lag+lag/2+10*time.Millisecond) // the bubble's clock: exact
			})
		})
	}
}

func TestOthersKeepTheReaders(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].SetLag(time.Hour)
		writes, reads := router.NewSession(t.Context()), router.NewSession(t.Context())
		p.mustWrite(t, writes, 7)
		value, route := p.mustRead(t, writes)
		assert.EqualValues(t, 7, value)
		assert.Equal(t, fromWriter, route)
		value, route = p.mustRead(t, reads)
		assert.Zero(t, value)
		assert.Equal(t, fromReader1, route, "a session that wrote nothing reads from readers")
		_, route = p.mustRead(t, t.Context())
		assert.Equal(t, fromWriter, route, "without a session the process counts")
	})
}

func TestModes(t *testing.T) {
	for mode, row := range map[string]struct{ plain, session string }{
		router.ProcessWrites: {fromWriter, fromWriter},
		router.SessionWrites: {fromReader1, fromWriter},
		router.NoWrites:      {fromReader1, fromReader1},
	} {
		t.Run(mode, func(t *testing.T) {
			change := func(c *router.Config) { c.Freshness.ReadYourWrites = mode }
			inBubble(t, 1, change, func(t *testing.T, p *process) {
				p.cluster.Replicas()[0].SetLag(time.Hour)
				session := router.NewSession(t.Context())
				p.mustWrite(t, session, 7)
				_, route := p.mustRead(t, t.Context())
				assert.Equal(t, row.plain, route)
				_, route = p.mustRead(t, session)
				assert.Equal(t, row.session, route)
			})
		})
	}
}

// A write that is still in flight promises nothing yet.
func TestALongTransactionKeepsTheReaders(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		tx, err := p.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.NewUpdate().Model(&counter{ID: 1, Value: 7}).WherePK().Exec(t.Context())
		require.NoError(t, err)
		_, route := p.mustRead(t, t.Context())
		assert.Equal(t, fromReader1, route)
		p.cluster.Replicas()[0].SetLag(time.Hour)
		require.NoError(t, tx.Commit())
		value, route := p.mustRead(t, t.Context())
		assert.Equal(t, fromWriter, route)
		assert.EqualValues(t, 7, value)
	})
}

// A write counts however it ends: its error may hide a commit.
func TestAFailedWriteCounts(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].SetLag(time.Hour)
		p.cluster.Primary().LoseAnswer()
		err := p.write(t.Context(), 7)
		require.ErrorIs(t, err, router.ErrOutcomeUnknown)
		value, route := p.mustRead(t, t.Context())
		assert.EqualValues(t, 7, value, "it was carried out")
		assert.Equal(t, fromWriter, route)
		assert.EqualValues(t, 1, p.Stats().Unknown)
	})
}

func TestMaxLag(t *testing.T) {
	change := func(c *router.Config) { c.Freshness.MaxLag = 4 * time.Second }
	inBubble(t, 1, change, func(t *testing.T, p *process) {
		other := newProcess(t, p.cluster, nil)
		replica := p.cluster.Replicas()[0]
		time.Sleep(time.Hour)
		_, _ = p.mustRead(t, t.Context())
		time.Sleep(time.Second)
		_, route := p.mustRead(t, t.Context())
		assert.Equal(t, fromReader1, route, "an idle primary is not lag")

		replica.PauseReplay()
		other.mustWrite(t, t.Context(), 1)
		served := time.Now()
		for {
			value, route := p.mustRead(t, t.Context())
			if route != fromReader1 {
				assert.EqualValues(t, 1, value)
				break
			}
			assert.Zero(t, value)
			time.Sleep(100 * time.Millisecond)
		}
		assert.LessOrEqual(t, time.Since(served), 4*time.Second+500*time.Millisecond)
		assert.GreaterOrEqual(t, time.Since(served), 3*time.Second)

		replica.ResumeReplay()
		time.Sleep(time.Second)
		_, route = p.mustRead(t, t.Context())
		assert.Equal(t, fromReader1, route)
	})
}

func TestMaxStale(t *testing.T) {
	change := func(c *router.Config) { c.Freshness.MaxLag = -1 }
	inBubble(t, 1, change, func(t *testing.T, p *process) {
		other := newProcess(t, p.cluster, nil)
		p.cluster.Replicas()[0].SetLag(3 * time.Second)
		other.mustWrite(t, t.Context(), 1)
		time.Sleep(time.Second)
		p.mustRead(t, t.Context())
		time.Sleep(time.Second)
		_, route := p.mustRead(t, t.Context())
		assert.Equal(t, fromReader1, route, "any lag is accepted")
		value, route := p.mustRead(t, router.MaxStale(t.Context(), time.Second))
		assert.Equal(t, fromWriter, route)
		assert.EqualValues(t, 1, value)
		value, route = p.mustRead(t, router.MaxStale(t.Context(), 4*time.Second))
		assert.Equal(t, fromReader1, route)
		assert.Zero(t, value)
		_, route = p.mustRead(t, router.MaxStale(t.Context(), 0))
		assert.Equal(t, "shop/writer (read, hint_writer)", route)
	})
}

// TestMonotonicReads moves a session between readers that trail differently.
func TestMonotonicReads(t *testing.T) {
	change := func(c *router.Config) { c.Policy = new(router.RoundRobin) }
	inBubble(t, 2, change, func(t *testing.T, p *process) {
		other := newProcess(t, p.cluster, nil)
		near, far := p.cluster.Replicas()[0], p.cluster.Replicas()[1]
		far.SetLag(2 * time.Second)
		session := router.NewSession(t.Context())
		var last int64
		for i := range int64(200) {
			other.mustWrite(t, t.Context(), i)
			time.Sleep(20 * time.Millisecond)
			switch i % 50 {
			case 20:
				near.Down()
			case 40:
				near.Up()
			}
			value, route := p.mustRead(t, session)
			require.GreaterOrEqual(t, value, last, "read %d by %s", i, route)
			last = value
		}
		assert.Greater(t, last, int64(90))
	})
}

func TestASessionStaysWithItsReader(t *testing.T) {
	change := func(c *router.Config) { c.Policy = new(router.RoundRobin) }
	inBubble(t, 2, change, func(t *testing.T, p *process) {
		session := router.NewSession(t.Context())
		_, first := p.mustRead(t, session)
		for range 5 {
			_, route := p.mustRead(t, session)
			assert.Equal(t, first, route)
		}
		_, a := p.mustRead(t, t.Context())
		_, b := p.mustRead(t, t.Context())
		assert.NotEqual(t, a, b, "others go round")
	})
}

func TestPausedReader(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		for _, r := range p.cluster.Replicas() {
			r.PauseReplay()
		}
		p.mustWrite(t, t.Context(), 7)
		for range 5 {
			_, route := p.mustRead(t, t.Context())
			assert.Equal(t, fromWriter, route)
			time.Sleep(time.Second)
		}
		p.cluster.Replicas()[1].ResumeReplay()
		time.Sleep(300 * time.Millisecond)
		value, route := p.mustRead(t, t.Context())
		assert.Equal(t, fromReader2, route)
		assert.EqualValues(t, 7, value)
	})
}

func TestIdleBindIsAskedRarely(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.mustRead(t, t.Context())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := p.cluster.Primary().Probes()
		time.Sleep(time.Minute)
		asked := p.cluster.Primary().Probes() - before
		assert.LessOrEqual(t, asked, 60)
		assert.Positive(t, asked)
	})
}
