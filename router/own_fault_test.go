package router_test

import (
	"context"
	"database/sql"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// A poison is a text that does harm wherever it is sent.
const poison = "SELECT value FROM counters WHERE id = 1 -- poison"

// poisoned makes servers answer the poison with err, and counts how often each of them got it.
func poisoned(servers []*routertest.Server, err error) map[string]*atomic.Int64 {
	got := map[string]*atomic.Int64{}
	for _, s := range servers {
		n := new(atomic.Int64)
		got[s.Name()] = n
		s.FailStatements(func(query string) error {
			if !strings.Contains(query, "poison") {
				return nil
			}
			n.Add(1)
			return err
		})
	}
	return got
}

func counts(got map[string]*atomic.Int64) map[string]int64 {
	n := map[string]int64{}
	for name, c := range got {
		n[name] = c.Load()
	}
	return n
}

func (p *process) poison(ctx context.Context) (value int64, err error) {
	err = p.db.NewRaw(poison).Scan(ctx, &value)
	return value, err
}

// TestAReadThatBreaksConnectionsIsSentOnceToEach: that they broke may be its own doing.
func TestAReadThatBreaksConnectionsIsSentOnceToEach(t *testing.T) {
	for name, row := range map[string]struct {
		replicas int
		ctx      func(context.Context) context.Context
		want     map[string]int64
	}{
		"a plain read":       {2, func(ctx context.Context) context.Context { return ctx }, map[string]int64{"primary": 1, "replica-1": 1, "replica-2": 1}},
		"on the writer":      {2, router.OnWriter, map[string]int64{"primary": 1, "replica-1": 0, "replica-2": 0}},
		"on a reader":        {2, router.OnReader, map[string]int64{"primary": 1, "replica-1": 1, "replica-2": 1}},
		"in a session":       {2, router.NewSession, map[string]int64{"primary": 1, "replica-1": 1, "replica-2": 1}},
		"there is no reader": {0, func(ctx context.Context) context.Context { return ctx }, map[string]int64{"primary": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, row.replicas, nil, func(t *testing.T, p *process) {
				got := poisoned(p.cluster.Servers(), io.ErrUnexpectedEOF)
				began := time.Now()
				_, err := p.poison(row.ctx(t.Context()))
				var broken *router.ReadBrokenError
				require.ErrorAs(t, err, &broken)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				assert.EqualError(t, err, `router: the connection to "shop/writer" broke under the read, which is not sent there twice, since it may be the reason: unexpected EOF`)
				assert.Equal(t, row.want, counts(got))
				assert.Less(t, time.Since(began), 50*time.Millisecond, "there is nothing to wait for, but for a session that changes its reader")

				_, _, err = p.read(t.Context())
				require.NoError(t, err)
				assert.NotContains(t, p.log.String(), "is down", "the servers are well")
			})
		})
	}
}

// TestAReadThatDiesWithTheWriter is sent again, for all connections broke and not only its own: but once, for it may
// have killed the server.
func TestAReadThatDiesWithTheWriter(t *testing.T) {
	for _, replicas := range []int{0, 1} {
		inBubble(t, replicas, nil, func(t *testing.T, p *process) {
			primary := p.cluster.Primary()
			primary.SetLatency(100 * time.Millisecond)
			time.AfterFunc(10*time.Millisecond, primary.Down)
			time.AfterFunc(time.Second, primary.Up)
			_, route, err := p.read(router.OnWriter(t.Context()))
			require.NoError(t, err)
			assert.Equal(t, "shop/writer (read, hint_writer)", route)

			time.Sleep(5 * time.Second)
			primary.SetLatency(0)
			var killed atomic.Int64
			primary.FailStatements(func(query string) error {
				if !strings.Contains(query, "poison") {
					return nil
				}
				killed.Add(1)
				primary.Down()
				time.AfterFunc(500*time.Millisecond, primary.Up)
				return io.ErrUnexpectedEOF
			})
			_, err = p.poison(router.OnWriter(t.Context()))
			var broken *router.ReadBrokenError
			require.ErrorAs(t, err, &broken)
			assert.EqualValues(t, 2, killed.Load())
		})
	}
}

// TestAReaderIsJudgedByEvidence: one that broke a single connection stays, one whose connections all broke is out at
// once, in a transaction, too.
func TestAReaderIsJudgedByEvidence(t *testing.T) {
	for name, read := range map[string]func(p *process, ctx context.Context) error{
		"a read": func(p *process, ctx context.Context) error { return p.db.NewRaw("SELECT 1").Scan(ctx, new(int)) },
		"a transaction": func(p *process, ctx context.Context) error {
			_ = p.InTx(ctx, router.TxOptions{ReadOnly: true}, func(ctx context.Context) error {
				return p.db.NewRaw("SELECT 1").Scan(ctx, new(int))
			})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, roundRobin, func(t *testing.T, p *process) {
				for _, r := range p.cluster.Replicas() {
					broke := false
					r.FailStatements(func(query string) error {
						if broke || query != "SELECT 1" {
							return nil
						}
						broke = true
						return io.ErrUnexpectedEOF
					})
				}
				for range 4 {
					require.NoError(t, read(p, t.Context()))
				}
				assert.NotContains(t, p.log.String(), "is down")
				dying := p.cluster.Replicas()[0]
				dying.FailStatements(func(query string) error {
					if query != "SELECT 1" {
						return nil
					}
					dying.Down()
					return io.ErrUnexpectedEOF
				})
				for range 2 {
					require.NoError(t, read(p, t.Context()))
				}
				assert.Contains(t, p.log.String(), `msg="reader is down: its reads go elsewhere" engine=shop/reader-1`)
				assert.NotContains(t, p.log.String(), "engine=shop/reader-2")
			})
		})
	}
}

// TestAStrictReadThatBreaksConnections never reaches the writer.
func TestAStrictReadThatBreaksConnections(t *testing.T) {
	inBubble(t, 2, func(c *router.Config) { c.NoFallback = true }, func(t *testing.T, p *process) {
		got := poisoned(p.cluster.Servers(), io.ErrUnexpectedEOF)
		_, err := p.poison(t.Context())
		require.ErrorIs(t, err, router.ErrNoReader)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, map[string]int64{"primary": 0, "replica-1": 1, "replica-2": 1}, counts(got))
	})
}

// TestAReadThatBrokeOnTheWriterWaitsForAReader that has not had it: one that is down, or trails.
func TestAReadThatBrokeOnTheWriterWaitsForAReader(t *testing.T) {
	for name, row := range map[string]struct {
		away, back func(p *process)
		one        int64 // how often the first reader gets it
	}{
		"it is down": {func(p *process) {
			p.cluster.Replicas()[1].Down()
			_, _, _ = p.read(router.OnReader(context.Background())) // some find out
			_, _, _ = p.read(router.OnReader(context.Background()))
		}, func(p *process) { p.cluster.Replicas()[1].Up() }, 1},
		"both trail": {func(p *process) {
			for _, r := range p.cluster.Replicas() {
				r.PauseReplay()
			}
		}, func(p *process) { p.cluster.Replicas()[1].ResumeReplay() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, roundRobin, func(t *testing.T, p *process) {
				row.away(p)
				p.mustWrite(t, t.Context(), 7)
				if row.one > 0 {
					time.Sleep(time.Second) // the first reader has it
				}
				got := poisoned([]*routertest.Server{p.cluster.Primary(), p.cluster.Replicas()[0]}, io.ErrUnexpectedEOF)
				time.AfterFunc(time.Second, func() { row.back(p) })
				began := time.Now()
				value, err := p.poison(t.Context())
				require.NoError(t, err)
				assert.EqualValues(t, 7, value)
				assert.Equal(t, map[string]int64{"primary": 1, "replica-1": row.one}, counts(got))
				assert.GreaterOrEqual(t, time.Since(began), time.Second)
			})
		})
	}
	t.Run("in vain", func(t *testing.T) {
		inBubble(t, 1, nil, func(t *testing.T, p *process) {
			p.cluster.Replicas()[0].PauseReplay()
			p.mustWrite(t, t.Context(), 7)
			got := poisoned(p.cluster.Servers(), io.ErrUnexpectedEOF)
			began := time.Now()
			_, err := p.poison(t.Context())
			var broken *router.ReadBrokenError
			require.ErrorAs(t, err, &broken)
			assert.LessOrEqual(t, time.Since(began), 3*time.Second)
			assert.Equal(t, map[string]int64{"primary": 1, "replica-1": 0}, counts(got))

			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			began = time.Now()
			_, err = p.poison(ctx)
			require.ErrorAs(t, err, &broken)
			assert.LessOrEqual(t, time.Since(began), 500*time.Millisecond, "within the caller's deadline")
		})
	})
}

// TestAReaderDoesNotGetItAgain while the writer cannot be reached: what broke its connection is not sent there again,
// though it is up.
func TestAReaderDoesNotGetItAgain(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		got := poisoned(p.cluster.Servers(), io.ErrUnexpectedEOF)
		p.cluster.Primary().Down()
		_, err := p.poison(t.Context())
		require.ErrorIs(t, err, router.ErrNoWriter)
		assert.Equal(t, map[string]int64{"primary": 0, "replica-1": 1}, counts(got))
	})
}

// TestBeginIsSentAgain: it changes nothing, and nothing of it can be to blame.
func TestBeginIsSentAgain(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.cluster.Primary().FailNext(io.ErrUnexpectedEOF)
		require.NoError(t, p.InTx(t.Context(), router.TxOptions{}, func(ctx context.Context) error { return p.write(ctx, 7) }))
		value, _ := p.mustRead(t, t.Context())
		assert.EqualValues(t, 7, value)
	})
}

// TestASessionThatIsEnded for what it did ejects nobody, and what it did is not repeated.
func TestASessionThatIsEnded(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		got := poisoned(p.cluster.Servers(), routertest.ErrSessionEnded)
		sent := func() (n int64) {
			for _, c := range counts(got) {
				n += c
			}
			return n
		}
		began := time.Now()
		_, err := p.poison(t.Context())
		require.ErrorIs(t, err, routertest.ErrSessionEnded)
		assert.EqualValues(t, 1, sent())
		_, err = p.poison(router.OnWriter(t.Context()))
		require.ErrorIs(t, err, routertest.ErrSessionEnded)
		require.NotErrorIs(t, err, router.ErrNoWriter)
		assert.EqualValues(t, 2, sent())

		_, err = p.db.NewRaw("UPDATE counters SET value = 1 -- poison").Exec(t.Context())
		require.ErrorIs(t, err, router.ErrOutcomeUnknown, "it may have been at its end")
		require.ErrorIs(t, err, routertest.ErrSessionEnded)
		assert.EqualValues(t, 3, sent())

		err = p.InTx(t.Context(), router.TxOptions{ReadOnly: true, Retry: 3}, func(ctx context.Context) error {
			_, err := p.poison(ctx)
			require.ErrorIs(t, err, routertest.ErrSessionEnded)
			_, _, err = p.read(ctx) // over a connection that is gone
			require.Error(t, err)
			return err
		})
		require.Error(t, err)
		assert.EqualValues(t, 4, sent())
		assert.Zero(t, p.Stats().Retried)
		assert.Zero(t, time.Since(began))
		assert.NotContains(t, p.log.String(), "is down", "the readers are well")
	})
}

// TestALostCommitOfASessionThatIsEnded: the limit may have struck just after the commit.
func TestALostCommitOfASessionThatIsEnded(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		increment := func(ctx context.Context, db bun.IDB) error {
			_, err := db.NewUpdate().Model((*counter)(nil)).Set("value = value + 1").Where("id = 1").Exec(ctx)
			p.cluster.Primary().FailNext(routertest.ErrSessionEnded)
			return err
		}
		tries := 0
		err := p.InTx(t.Context(), router.TxOptions{Retry: 3}, func(ctx context.Context) error {
			tries++
			return increment(ctx, p.db)
		})
		require.ErrorIs(t, err, router.ErrOutcomeUnknown)
		assert.Equal(t, 1, tries)
		err = p.db.RunInTx(t.Context(), &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error { return increment(ctx, tx) })
		require.ErrorIs(t, err, router.ErrOutcomeUnknown)
		assert.EqualValues(t, 2, p.Stats().Unknown)
	})
}

// TestARefusalThatDoubtsTheRole has the writer asked for its role at once, long before that is due, whichever way the
// write went.
func TestARefusalThatDoubtsTheRole(t *testing.T) {
	increment := func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewUpdate().Model((*counter)(nil)).Set("value = value + 1").Where("id = 1").Exec(ctx)
		return err
	}
	for name, write := range map[string]func(p *process, ctx context.Context, refuse func()) error{
		"a statement": func(p *process, ctx context.Context, refuse func()) error {
			refuse()
			return increment(ctx, p.db)
		},
		"InTx's COMMIT": func(p *process, ctx context.Context, refuse func()) error {
			return p.InTx(ctx, router.TxOptions{Retry: 3}, func(ctx context.Context) error {
				err := increment(ctx, p.db)
				refuse()
				return err
			})
		},
		"a plain COMMIT": func(p *process, ctx context.Context, refuse func()) error {
			return p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				err := increment(ctx, tx)
				refuse()
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, nil, func(t *testing.T, p *process) {
				time.Sleep(time.Minute) // nobody reads: the next look is far
				synctest.Wait()
				p.cluster.ResetStatements()
				err := write(p, t.Context(), func() { p.cluster.Primary().FailNext(routertest.ErrLeaving) })
				require.ErrorIs(t, err, routertest.ErrLeaving)
				require.NotErrorIs(t, err, router.ErrOutcomeUnknown, "it was refused")
				require.NotErrorIs(t, err, router.ErrNoWriter)
				synctest.Wait()
				assert.Equal(t, 1, p.cluster.Primary().Probes())
				value, _ := p.mustRead(t, t.Context())
				assert.Zero(t, value, "nothing was carried out")
			})
		})
	}
}
