package router_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

func roundRobin(c *router.Config) { c.Policy = new(router.RoundRobin) }

func TestReaderKilled(t *testing.T) {
	inBubble(t, 2, roundRobin, func(t *testing.T, p *process) {
		killed := p.cluster.Replicas()[0]
		killed.Down()
		for range 20 {
			_, route := p.mustRead(t, t.Context())
			assert.Equal(t, fromReader2, route)
		}
		assert.Contains(t, p.log.String(), `msg="reader is down: its reads go elsewhere" engine=shop/reader-1`)
		killed.Up()
		time.Sleep(2 * time.Second)
		_, a := p.mustRead(t, t.Context())
		_, b := p.mustRead(t, t.Context())
		assert.ElementsMatch(t, []string{fromReader1, fromReader2}, []string{a, b})
		assert.Contains(t, p.log.String(), `msg="reader is back" engine=shop/reader-1`)
	})
}

// TestAReaderThatIsBackHasItsShare: that its connections were refused a moment ago says nothing of how long
// it takes now.
func TestAReaderThatIsBackHasItsShare(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		for _, replica := range p.cluster.Replicas() {
			replica.SetLatency(time.Millisecond)
		}
		for range 100 {
			p.mustRead(t, t.Context())
		}
		killed := p.cluster.Replicas()[0]
		killed.Down()
		p.mustRead(t, t.Context())
		time.Sleep(time.Second) // it is found out
		killed.Up()
		time.Sleep(2 * time.Second)
		require.Contains(t, p.log.String(), `msg="reader is back" engine=shop/reader-1`)
		back := 0
		for range 400 {
			if _, route := p.mustRead(t, t.Context()); route == fromReader1 {
				back++
			}
		}
		assert.Greater(t, back, 40, "of 400 reads")
	})
}

// TestReaderFrozen hangs a reader while reads wait for it.
func TestReaderFrozen(t *testing.T) {
	inBubble(t, 2, roundRobin, func(t *testing.T, p *process) {
		p.mustRead(t, t.Context())
		p.mustRead(t, t.Context()) // both have a connection
		frozen := p.cluster.Replicas()[0]
		frozen.Freeze()
		const reads = 40
		longest := make(chan time.Duration, reads)
		for range reads {
			go func() {
				began := time.Now()
				_, _, err := p.read(t.Context())
				assert.NoError(t, err)
				longest <- time.Since(began)
			}()
			time.Sleep(50 * time.Millisecond)
		}
		var worst time.Duration
		for range reads {
			worst = max(worst, <-longest)
		}
		t.Logf("the longest read took %v", worst)
		assert.LessOrEqual(t, worst, 1500*time.Millisecond, "no longer than a probe may take, and its own time")
		assert.GreaterOrEqual(t, worst, 100*time.Millisecond, "some did wait")

		frozen.Thaw()
		time.Sleep(2 * time.Second)
		_, a := p.mustRead(t, t.Context())
		_, b := p.mustRead(t, t.Context())
		assert.ElementsMatch(t, []string{fromReader1, fromReader2}, []string{a, b})
	})
}

func TestAllReadersGone(t *testing.T) {
	for _, strict := range []bool{false, true} {
		inBubble(t, 2, func(c *router.Config) { c.NoFallback = strict }, func(t *testing.T, p *process) {
			served := p.Stats().ToWriter
			for _, r := range p.cluster.Replicas() {
				r.Down()
			}
			for range 3 {
				_, route, err := p.read(t.Context())
				if strict {
					require.ErrorIs(t, err, router.ErrNoReader)
				} else {
					require.NoError(t, err)
					assert.Equal(t, "shop/writer (read, readers_down)", route)
				}
				time.Sleep(time.Second)
			}
			if !strict {
				assert.EqualValues(t, 3, p.Stats().ToWriter-served)
				assert.Equal(t, 1, strings.Count(p.log.String(), "no reader is up and fresh enough: the writer serves all reads"))
			}
			for _, r := range p.cluster.Replicas() {
				r.Up()
			}
			time.Sleep(3 * time.Second)
			_, route := p.mustRead(t, t.Context())
			assert.Contains(t, route, "plain_read")
			assert.Contains(t, p.log.String(), `msg="readers serve"`)
		})
	}
}

func TestWriterGone(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		wrote := router.NewSession(t.Context())
		p.cluster.Replicas()[0].SetLag(time.Minute)
		p.mustWrite(t, wrote, 7)
		p.cluster.Replicas()[0].PauseReplay()
		p.cluster.Primary().Down()
		time.Sleep(time.Hour)
		value, route := p.mustRead(t, router.NewSession(t.Context()))
		assert.Equal(t, fromReader1, route, "reads that need nothing newer go on, for as long as it takes")
		assert.Zero(t, value)
		began := time.Now()
		_, _, err := p.read(wrote)
		require.ErrorIs(t, err, router.ErrNoWriter, "a session that wrote waits for the writer, and is told")
		err = p.write(t.Context(), 8)
		var gone *router.UnavailableError
		require.ErrorAs(t, err, &gone)
		assert.Equal(t, "shop/writer", gone.Engine)
		assert.LessOrEqual(t, time.Since(began), 7*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		require.ErrorIs(t, p.write(ctx, 8), router.ErrNoWriter)
		assert.LessOrEqual(t, time.Since(began), time.Second, "within the caller's deadline")

		p.cluster.Primary().Up()
		p.mustWrite(t, t.Context(), 9)
		value, _ = p.mustRead(t, wrote)
		assert.EqualValues(t, 9, value)
	})
}

// A write that was certainly not sent waits for a writer that restarts, and is sent once.
func TestAWriteWaitsForTheWriter(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.cluster.Primary().Down()
		time.AfterFunc(time.Second, p.cluster.Primary().Up)
		began := time.Now()
		_, err := p.db.NewRaw("UPDATE counters SET value = value + 1").Exec(t.Context())
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(began), time.Second)
		value, _ := p.mustRead(t, t.Context())
		assert.EqualValues(t, 1, value)
		assert.Positive(t, p.Stats().Retried)
	})
}

// Whatever may have been carried out is not sent again, through whichever door it went.
func TestNeverTwice(t *testing.T) {
	increments := map[string]func(ctx context.Context, db *bun.DB) error{
		"builder": func(ctx context.Context, db *bun.DB) error {
			_, err := db.NewUpdate().Model((*counter)(nil)).Set("value = value + 1").Where("id = 1").Exec(ctx)
			return err
		},
		"returning": func(ctx context.Context, db *bun.DB) error {
			return db.NewRaw("UPDATE counters SET value = value + 1 RETURNING value").Scan(ctx, new(int64))
		},
		"bare sql.DB": func(ctx context.Context, db *bun.DB) error {
			_, err := db.DB.ExecContext(ctx, "UPDATE counters SET value = value + 1")
			return err
		},
	}
	for name, increment := range increments {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, nil, func(t *testing.T, p *process) {
				p.cluster.Primary().LoseAnswer()
				err := increment(t.Context(), p.db)
				var unknown *router.OutcomeUnknownError
				require.ErrorAs(t, err, &unknown)
				require.ErrorIs(t, err, router.ErrOutcomeUnknown)
				value, _ := p.mustRead(t, t.Context())
				assert.EqualValues(t, 1, value, "carried out once")
			})
		})
	}
	t.Run("commit", func(t *testing.T) {
		inBubble(t, 1, nil, func(t *testing.T, p *process) {
			err := p.db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewUpdate().Model((*counter)(nil)).Set("value = value + 1").Where("id = 1").Exec(ctx)
				p.cluster.Primary().LoseAnswer()
				return err
			})
			require.ErrorIs(t, err, router.ErrOutcomeUnknown)
			value, route := p.mustRead(t, t.Context())
			assert.EqualValues(t, 1, value)
			assert.Contains(t, route, "shop/")
		})
	})
}

// Nothing is retried or moved inside a transaction: the error is the caller's.
func TestNoRetryInATransaction(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		boom := routertest.ErrSerialization
		tries := 0
		err := p.db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			tries++
			p.cluster.Primary().FailNext(boom)
			_, err := tx.NewRaw("UPDATE counters SET value = 1").Exec(ctx)
			return err
		})
		require.ErrorIs(t, err, boom)
		assert.Equal(t, 1, tries)
		assert.Zero(t, p.Stats().Retried)
	})
}

func TestRecoveryConflict(t *testing.T) {
	inBubble(t, 2, roundRobin, func(t *testing.T, p *process) {
		one, two := p.cluster.Replicas()[0], p.cluster.Replicas()[1]
		one.FailNext(routertest.ErrRecoveryConflict)
		two.FailNext(routertest.ErrRecoveryConflict)
		_, route := p.mustRead(t, t.Context())
		assert.Equal(t, "shop/writer (read, readers_down)", route, "once elsewhere, then the writer")
		one.FailNext(routertest.ErrRecoveryConflict)
		_, route = p.mustRead(t, t.Context())
		assert.Contains(t, route, "shop/reader-", "elsewhere")
		assert.NotContains(t, p.log.String(), "is down", "the reader is well")
	})
}

// A write that the classifier missed is refused by the reader and runs on the writer, once.
func TestAReaderRefusesAWrite(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.cluster.Replicas()[0].FailNext(routertest.ErrReadOnly)
		ctx, route := router.Explain(t.Context())
		var one int
		require.NoError(t, p.db.NewRaw("SELECT 1 /* secret */ WHERE 'it''s secret' <> 'x' AND 4711 > 1 -- secret").Scan(ctx, &one))
		assert.Equal(t, "shop/writer (write, reader_refused)", route.String())
		assert.EqualValues(t, 1, p.Stats().Refused)
		assert.Contains(t, p.log.String(), `statement="SELECT ? WHERE ? <> ? AND ? > ?"`)
		assert.Equal(t, "SELECT ? WHERE ? <> ? AND ? > ?", route.Last().Query)
		assert.NotContains(t, p.log.String(), "secret")
		assert.NotContains(t, p.log.String(), "4711")
		reader := bun.NewDB(p.Writer().DB(), p.db.Dialect(), bun.WithConnResolver(p.ReaderOnly()))
		p.cluster.Replicas()[0].FailNext(routertest.ErrReadOnly)
		require.ErrorIs(t, reader.NewRaw("SELECT 1").Scan(t.Context(), &one), routertest.ErrReadOnly, "Reader() never leads to the writer")
	})
}

// The writer's address leads to a replica for a while: a failover, or a mistake.
func TestWriterRefusesWrites(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		primary := p.cluster.Primary()
		p.cluster.MoveWriter(p.cluster.Replicas()[0])
		primary.Down()
		primary.Up() // its connections are gone, new ones lead to the replica
		err := p.write(t.Context(), 7)
		var gone *router.UnavailableError
		require.ErrorAs(t, err, &gone)
		assert.True(t, gone.ReadOnly)
		p.cluster.MoveWriter(primary)
		p.mustWrite(t, t.Context(), 8)
		value, _ := p.mustRead(t, t.Context())
		assert.EqualValues(t, 8, value, "the connections to the replica were retired")
	})
}

// TestHistories makes a reader unfit in the ways that a position alone does not show. In each the
// session reads on, and must not see an older value.
func TestHistories(t *testing.T) {
	for name, row := range map[string]struct {
		happens func(t *testing.T, p *process)
		log     string
	}{
		"the reader restarts at an older state": {func(t *testing.T, p *process) {
			p.cluster.Replicas()[0].SetLag(10 * time.Second)
			p.cluster.Replicas()[0].CrashRestart(3)
		}, ""},
		"the reader's address leads to a foreign cluster": {func(t *testing.T, p *process) {
			foreign := routertest.New(t, 1)
			other := newProcess(t, foreign, nil)
			other.createTable(t)
			p.cluster.Balance(0, foreign.Replicas()[0])
			p.cluster.Replicas()[0].Down()
		}, "another history"},
		"the reader's address is a load balancer": {func(t *testing.T, p *process) {
			far := p.cluster.Replicas()[1]
			far.SetLag(time.Hour)
			p.cluster.Balance(0, p.cluster.Replicas()[0], far)
			p.Readers()[0].Engine().DB().SetMaxIdleConns(-1) // each read makes a connection
		}, "leads to several servers"},
		"the other replica is promoted, this one follows": {func(t *testing.T, p *process) {
			old := p.cluster.Primary()
			p.cluster.Promote(p.cluster.Replicas()[1])
			old.Down()
		}, "writer changed"},
		"the reader is promoted behind our back": {func(t *testing.T, p *process) {
			p.cluster.Replicas()[0].Promote()
		}, "a primary of its own"},
		"the reader cannot prove itself": {func(t *testing.T, p *process) {
			p.cluster.Replicas()[0].SetDoubt(errors.New("grant pg_monitor"))
		}, "grant pg_monitor"},
	} {
		t.Run(name, func(t *testing.T) {
			only1 := func(c *router.Config) { c.Readers = c.Readers[:1] }
			inBubble(t, 2, only1, func(t *testing.T, p *process) {
				session := router.NewSession(t.Context())
				other := newProcess(t, p.cluster, only1)
				last := int64(0)
				step := func(n int64) {
					t.Helper()
					require.NoError(t, other.write(t.Context(), n))
					time.Sleep(100 * time.Millisecond)
					value, route, err := p.read(session)
					require.NoError(t, err)
					require.GreaterOrEqual(t, value, last, "by %s", route)
					last = value
				}
				for n := range int64(5) {
					step(n + 1)
				}
				row.happens(t, p)
				for n := range int64(30) {
					step(n + 6)
				}
				synctest.Wait()
				assert.Contains(t, p.log.String(), row.log)
				require.NoError(t, p.write(session, 1000))
				value, _ := p.mustRead(t, session)
				assert.EqualValues(t, 1000, value)
			})
		})
	}
}

// A reader that was promoted still refuses writes on the connections of a reader.
func TestAPromotedReaderKeepsItsBelt(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		reader := p.Readers()[0].Engine().DB()
		p.cluster.Replicas()[0].Promote()
		_, err := reader.ExecContext(t.Context(), "UPDATE counters SET value = 1")
		require.Error(t, err)
		assert.Equal(t, binds.ReadOnly, p.Readers()[0].Engine().Classify(err))
	})
}

// The writer's address moves to a promoted replica while the primary before stays up: the monitor's
// own connection still leads there.
func TestWriterMovesWhileTheOldOneLives(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		promoted, follower := p.cluster.Replicas()[0], p.cluster.Replicas()[1]
		p.cluster.Promote(promoted)
		follower.PauseReplay()
		p.Writer().DB().SetMaxIdleConns(-1) // the next write makes a connection
		p.mustWrite(t, t.Context(), 7)
		for range 100 {
			value, route := p.mustRead(t, t.Context())
			require.EqualValues(t, 7, value, route)
			time.Sleep(50 * time.Millisecond)
		}
		assert.Contains(t, p.log.String(), "its address leads to another server")
	})
}

// A replica that ran ahead of a promoted sibling holds rows that no longer exist.
func TestDivergedReader(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		behind, ahead := p.cluster.Replicas()[0], p.cluster.Replicas()[1]
		behind.PauseReplay()
		for n := range int64(20) {
			p.mustWrite(t, t.Context(), n+1)
		}
		time.Sleep(time.Second)
		value, route := p.mustRead(t, t.Context())
		assert.Equal(t, fromReader2, route)
		assert.EqualValues(t, 20, value)
		p.cluster.Primary().Down()
		p.cluster.Promote(behind)
		_ = ahead
		time.Sleep(2 * time.Second)
		for range 20 {
			value, route = p.mustRead(t, router.NewSession(t.Context()))
			assert.NotEqual(t, fromReader2, route, "it shows rows that the primary never had")
			assert.Zero(t, value)
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestCanceledReadReturnsAtOnce(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, p *process) {
		p.mustRead(t, t.Context())
		p.cluster.Replicas()[0].Freeze()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		began := time.Now()
		_, _, err := p.read(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 100*time.Millisecond, time.Since(began))
		p.cluster.Replicas()[0].Thaw()
	})
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers had kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestAThousandFaults looks at what is left of a router's connections, memory and goroutines after them.
// The bubble and goleak count the goroutines.
func TestAThousandFaults(t *testing.T) {
	inBubble(t, 2, nil, func(t *testing.T, p *process) {
		servers := p.cluster.Servers()
		settle := func() (connections int) {
			for range 50 {
				_, _, _ = p.read(router.NewSession(t.Context()))
				_, _, _ = p.read(router.OnWriter(t.Context()))
				time.Sleep(100 * time.Millisecond)
			}
			synctest.Wait()
			for _, s := range servers {
				connections += s.Connections()
			}
			return connections
		}
		before := settle()
		held := heap()
		for n := range 1000 {
			s := servers[n%3]
			switch n % 4 {
			case 0:
				s.Down()
			case 1:
				s.Freeze()
			case 2:
				s.FailNext(routertest.ErrBusy)
			case 3:
				s.LoseAnswer()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			_, _, _ = p.read(ctx)
			_ = p.write(ctx, int64(n))
			cancel()
			s.Heal()
		}
		assert.LessOrEqual(t, settle(), before+len(servers), "a pool may keep a connection more than before")
		// The servers are in memory too, and keep a log of what was written.
		const slack = 1 << 20
		after := heap()
		assert.Less(t, after, held+slack, "memory")
		t.Logf("memory in use: %d kB before, %d kB after a thousand faults", held>>10, after>>10)
		require.NoError(t, p.write(t.Context(), 1))
		value, _ := p.mustRead(t, t.Context())
		assert.EqualValues(t, 1, value)
	})
}
