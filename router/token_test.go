package router_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

// twoProcesses runs a test with two processes on a cluster, whose readers have proved themselves.
func twoProcesses(t *testing.T, replicas int, test func(t *testing.T, a, b *process)) {
	t.Helper()
	inBubble(t, replicas, nil, func(t *testing.T, a *process) {
		b := newProcess(t, a.cluster, nil)
		settle(t, b)
		test(t, a, b)
	})
}

// settle lets a process find out about its readers.
func settle(t *testing.T, p *process) {
	t.Helper()
	p.mustRead(t, t.Context())
	time.Sleep(3 * time.Second)
	synctest.Wait()
}

func mustToken(t *testing.T, ctx context.Context) string {
	t.Helper()
	token, err := router.SessionFrom(ctx).Token(ctx)
	require.NoError(t, err)
	require.Regexp(t, `^[A-Za-z0-9._-]+$`, token)
	require.Less(t, len(token), 100)
	return token
}

func mustResume(t *testing.T, token string) context.Context {
	t.Helper()
	ctx, err := router.ResumeSession(t.Context(), token)
	require.NoError(t, err)
	return ctx
}

// TestTokenIsHonoured writes in one process and reads in another, at any lag.
func TestTokenIsHonoured(t *testing.T) {
	for _, lag := range []time.Duration{0, 3 * time.Millisecond, 200 * time.Millisecond, time.Hour} {
		t.Run(lag.String(), func(t *testing.T) {
			twoProcesses(t, 2, func(t *testing.T, a, b *process) {
				for _, r := range a.cluster.Replicas() {
					r.SetLag(lag)
				}
				session := router.NewSession(t.Context())
				a.mustWrite(t, session, 7)
				token := mustToken(t, session)
				_, route := b.mustRead(t, t.Context())
				assert.Contains(t, route, "shop/reader-", "who has no token reads from readers")
				for range 10 {
					value, _ := b.mustRead(t, mustResume(t, token))
					assert.EqualValues(t, 7, value)
					time.Sleep(min(lag/5, time.Second))
				}
				time.Sleep(3 * time.Second)
				value, route := b.mustRead(t, mustResume(t, token))
				assert.EqualValues(t, 7, value)
				assert.Equal(t, lag == time.Hour, route == fromWriter, route)
			})
		})
	}
}

// A reader that covers the token's position serves at once: no newer sample is needed.
func TestTokenKeepsTheReaders(t *testing.T) {
	twoProcesses(t, 2, func(t *testing.T, a, b *process) {
		session := router.NewSession(t.Context())
		a.mustWrite(t, session, 7)
		token := mustToken(t, session)
		settle(t, b)
		probes := a.cluster.Primary().Probes()
		for range 50 {
			value, route := b.mustRead(t, mustResume(t, token))
			assert.EqualValues(t, 7, value)
			assert.Contains(t, route, "plain_read")
		}
		assert.LessOrEqual(t, a.cluster.Primary().Probes(), probes+1) // one that was due
	})
}

// In a process that has only just begun nothing is known, also at its clock's first moment.
func TestTokenInANewProcess(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, a *process) {
		a.cluster.Replicas()[0].SetLag(time.Hour)
		session := router.NewSession(t.Context())
		a.mustWrite(t, session, 7)
		token := mustToken(t, session)
		b := newProcess(t, a.cluster, func(c *router.Config) { c.Freshness.MaxLag = -1 })
		for range 5 {
			value, _ := b.mustRead(t, mustResume(t, token))
			assert.EqualValues(t, 7, value)
			time.Sleep(time.Second)
		}
	})
}

// The first sample of a process may cover the token, and be its clock's first moment.
func TestTokenCoveredByTheFirstSample(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, a *process) {
		session := router.NewSession(t.Context())
		a.cluster.Replicas()[0].SetLag(time.Hour)
		a.mustWrite(t, session, 7)
		token := mustToken(t, session)
		b := newProcess(t, a.cluster, func(c *router.Config) { c.Freshness.MaxLag = -1 }) // asks at once
		value, route := b.mustRead(t, mustResume(t, token))
		assert.EqualValues(t, 7, value)
		assert.Equal(t, fromWriter, route)
	})
}

func TestTokenIsMonotonic(t *testing.T) {
	twoProcesses(t, 2, func(t *testing.T, a, b *process) {
		others := newProcess(t, a.cluster, nil)
		a.cluster.Replicas()[1].SetLag(2 * time.Second)
		token, last := "", int64(0)
		readers := 0
		for i := range int64(200) {
			others.mustWrite(t, t.Context(), i)
			time.Sleep(20 * time.Millisecond)
			ctx := mustResume(t, token)
			value, route := []*process{a, b}[i%2].mustRead(t, ctx)
			require.GreaterOrEqual(t, value, last, "read %d by %s", i, route)
			if route != fromWriter {
				readers++
			}
			last = value
			token = mustToken(t, ctx)
		}
		t.Logf("readers served %d of 200", readers)
		assert.Greater(t, last, int64(150))
		assert.Positive(t, readers, "how many depends on which of the goroutines of one moment runs first")
	})
}

func TestTokensMerge(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		twoProcesses(t, 1, func(t *testing.T, a, b *process) {
			replica := a.cluster.Replicas()[0]
			var tokens [2]string
			first := router.NewSession(t.Context())
			a.mustWrite(t, first, 1)
			tokens[0] = mustToken(t, first)
			settle(t, b)
			replica.PauseReplay()
			second := router.NewSession(t.Context())
			a.mustWrite(t, second, 2)
			tokens[1] = mustToken(t, second)
			settle(t, b)

			ctx := mustResume(t, tokens[0])
			_, route := b.mustRead(t, ctx)
			assert.Equal(t, fromReader1, route, "its write has been replayed")
			before := router.SessionFrom(ctx)
			merged, err := router.ResumeSession(ctx, tokens[1])
			require.NoError(t, err)
			assert.Same(t, before, router.SessionFrom(merged))
			value, route := b.mustRead(t, ctx)
			assert.EqualValues(t, 2, value, "a bind in use needs what a token adds")
			assert.Equal(t, fromWriter, route)

			ctx = mustResume(t, tokens[order[0]])
			_, err = router.ResumeSession(ctx, tokens[order[1]])
			require.NoError(t, err)
			value, _ = b.mustRead(t, ctx)
			assert.EqualValues(t, 2, value)
		})
	}
}

// What a token says of a bind travels on through processes that do not use it, or have no readers.
func TestTokenTravelsOn(t *testing.T) {
	for name, through := range map[string]func(t *testing.T, b *process, ctx context.Context){
		"unused":           func(*testing.T, *process, context.Context) {},
		"read, no readers": func(t *testing.T, b *process, ctx context.Context) { b.mustRead(t, ctx) },
		"merged meanwhile": func(t *testing.T, _ *process, ctx context.Context) { _, _ = router.ResumeSession(ctx, "") },
	} {
		t.Run(name, func(t *testing.T) {
			twoProcesses(t, 1, func(t *testing.T, a, c *process) {
				a.cluster.Replicas()[0].SetLag(time.Hour)
				b := newProcess(t, a.cluster, func(c *router.Config) { c.Readers = nil })
				elsewhere := routertest.New(t, 1)
				audit := newProcess(t, elsewhere, func(c *router.Config) { c.Key, c.Default = "audit", "audit" })
				audit.createTable(t)

				session := router.NewSession(t.Context())
				a.mustWrite(t, session, 7)
				ctx := mustResume(t, mustToken(t, session))
				through(t, b, ctx)
				audit.mustWrite(t, ctx, 8)
				value, _ := c.mustRead(t, mustResume(t, mustToken(t, ctx)))
				assert.EqualValues(t, 7, value)
			})
		})
	}
}

func TestBadTokenReadsFromTheWriter(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, b *process) {
		a.cluster.Replicas()[0].SetLag(time.Hour)
		a.mustWrite(t, t.Context(), 7)
		used := router.NewSession(t.Context())
		value, _ := b.mustRead(t, used)
		require.Zero(t, value)
		for name, ctx := range map[string]context.Context{"new": t.Context(), "in use": used} {
			ctx, err := router.ResumeSession(ctx, "1.forged")
			var refused *router.TokenError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, "malformed", refused.Reason)
			value, route := b.mustRead(t, ctx)
			assert.EqualValues(t, 7, value, name)
			assert.Equal(t, fromWriter, route)
			// That nothing is known of other binds travels on, and what is known now does.
			value, _ = b.mustRead(t, mustResume(t, mustToken(t, ctx)))
			assert.EqualValues(t, 7, value, name)
		}
		ctx, err := router.ResumeSession(t.Context(), "1.forged")
		require.Error(t, err)
		value, _ = b.mustRead(t, mustResume(t, mustToken(t, ctx)))
		assert.EqualValues(t, 7, value, "a token of nothing but doubt")

		// A good token does not take the doubt away, before or after it.
		good := mustToken(t, used)
		for _, order := range [][2]string{{"1.forged", good}, {good, "1.forged"}} {
			ctx, _ = router.ResumeSession(t.Context(), order[0])
			_, _ = router.ResumeSession(ctx, order[1])
			value, _ = b.mustRead(t, ctx)
			assert.EqualValues(t, 7, value)
		}
	})
}

// Many tokens cost one look at the writer, and no memory.
func TestManyTokensMerge(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, b *process) {
		ctx := router.NewSession(t.Context())
		for i := range int64(80) {
			session := router.NewSession(t.Context())
			a.mustWrite(t, session, i)
			_, err := router.ResumeSession(ctx, mustToken(t, session))
			require.NoError(t, err)
		}
		a.cluster.Replicas()[0].PauseReplay()
		token := mustToken(t, ctx)
		value, _ := b.mustRead(t, mustResume(t, token))
		assert.EqualValues(t, 79, value)
		_, err := router.ResumeSession(ctx, token)
		require.NoError(t, err)
		value, _ = b.mustRead(t, ctx)
		assert.EqualValues(t, 79, value)
	})
}

func TestForeignToken(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, b *process) {
		elsewhere := newProcess(t, routertest.New(t, 0), nil)
		elsewhere.createTable(t)
		foreign := router.NewSession(t.Context())
		elsewhere.mustWrite(t, foreign, 1)
		a.cluster.Replicas()[0].PauseReplay()
		a.mustWrite(t, t.Context(), 7)
		assertStale(t, b, mustToken(t, foreign), 7)
	})
}

func TestTokenAfterPromotion(t *testing.T) {
	twoProcesses(t, 2, func(t *testing.T, a, b *process) {
		session := router.NewSession(t.Context())
		a.mustWrite(t, session, 7)
		old := mustToken(t, session)
		time.Sleep(time.Second)
		a.cluster.Primary().Down()
		a.cluster.Promote(a.cluster.Replicas()[0])
		time.Sleep(time.Minute)
		settle(t, a)
		settle(t, b)
		for _, r := range a.cluster.Replicas() {
			r.PauseReplay()
		}
		a.mustWrite(t, t.Context(), 8)
		assertStale(t, b, old, 8)
	})
}

// assertStale resumes a session with a token that speaks of another history.
func assertStale(t *testing.T, p *process, token string, want int64) {
	t.Helper()
	ctx := mustResume(t, token)
	require.NoError(t, router.SessionFrom(ctx).Err(), "before the bind is used")
	for range 3 {
		value, _ := p.mustRead(t, ctx)
		assert.Equal(t, want, value)
		time.Sleep(time.Second)
	}
	var stale *router.StaleTokenError
	require.ErrorAs(t, router.SessionFrom(ctx).Err(), &stale)
	assert.EqualValues(t, "shop", stale.Bind)

	fresh := mustResume(t, mustToken(t, ctx))
	value, _ := p.mustRead(t, fresh)
	assert.Equal(t, want, value)
	assert.NoError(t, router.SessionFrom(fresh).Err(), "its own token is of the present history")
}

// A writer that cannot tell, or prove, its position makes the next process ask the writer itself.
func TestTokenOfAnUnknownPosition(t *testing.T) {
	for name, trouble := range map[string]func(*process, *routertest.Cluster) (undo func()){
		"down": func(_ *process, c *routertest.Cluster) func() { c.Primary().Down(); return c.Primary().Up },
		"hung": func(_ *process, c *routertest.Cluster) func() { c.Primary().Freeze(); return c.Primary().Thaw },
		"doubt": func(_ *process, c *routertest.Cluster) func() {
			c.Primary().SetDoubt(errors.New("synchronous_commit is off"))
			return func() { c.Primary().SetDoubt(nil) }
		},
		"a replica behind the writer's address": func(a *process, c *routertest.Cluster) func() {
			was := c.Primary()
			c.MoveWriter(c.Replicas()[0])
			was.Down()
			_, err := a.Writer().Probe(context.Background())
			if err == nil {
				panic("the probes' connection should have been broken")
			}
			return func() { was.Up(); c.MoveWriter(was) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			twoProcesses(t, 1, func(t *testing.T, a, b *process) {
				a.cluster.Replicas()[0].SetLag(time.Hour)
				session := router.NewSession(t.Context())
				a.mustWrite(t, session, 7)
				undo := trouble(a, a.cluster)
				asked := time.Now()
				ctx, cancel := context.WithTimeout(session, 300*time.Millisecond)
				defer cancel()
				token, err := router.SessionFrom(ctx).Token(ctx)
				require.Error(t, err)
				t.Log(err)
				assert.LessOrEqual(t, time.Since(asked), 300*time.Millisecond)
				undo()
				value, route := b.mustRead(t, mustResume(t, token))
				assert.EqualValues(t, 7, value)
				assert.Equal(t, fromWriter, route)
			})
		})
	}
}

// However many sessions want a token at once, they share answers.
func TestTokensShareAnswers(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, _ *process) {
		primary := a.cluster.Primary()
		var sessions []context.Context
		for i := range int64(50) {
			sessions = append(sessions, router.NewSession(t.Context()))
			a.mustWrite(t, sessions[i], i)
		}
		before := primary.Probes()
		primary.SetLatency(10 * time.Millisecond)
		began := time.Now()
		allTokens(t, sessions, func(token string, err error) {
			assert.NoError(t, err)
			assert.NotEmpty(t, token)
		})
		assert.LessOrEqual(t, primary.Probes()-before, 3)
		assert.LessOrEqual(t, time.Since(began), 50*time.Millisecond)
	})
}

// However many tokens are asked for, the writer answers at most 200 questions a second for them, and as many for reads.
func TestTokensAreBounded(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, _ *process) {
		primary := a.cluster.Primary()
		primary.SetLatency(100 * time.Microsecond)
		before, end, tokens := primary.Probes(), time.Now().Add(2*time.Second), atomic.Int64{}
		var running sync.WaitGroup
		for range 10 {
			running.Go(func() {
				for time.Now().Before(end) {
					ctx := router.NewSession(t.Context())
					if !assert.NoError(t, a.write(ctx, 1)) {
						return
					}
					_, err := router.SessionFrom(ctx).Token(ctx)
					assert.NoError(t, err)
					tokens.Add(1)
				}
			})
		}
		running.Wait()
		assert.Greater(t, tokens.Load(), int64(1000))
		assert.LessOrEqual(t, primary.Probes()-before, 2*2*200+2)
	})
}

// Nobody waits for longer than his context says because others, or the monitor, wait as well.
func TestTokensOfAHungWriter(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, _ *process) {
		var sessions []context.Context
		for i := range int64(50) {
			sessions = append(sessions, router.NewSession(t.Context()))
			a.mustWrite(t, sessions[i], i)
		}
		a.cluster.Primary().Freeze()
		began := time.Now()
		allTokens(t, sessions, func(token string, err error) {
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotEmpty(t, token)
		})
		assert.Equal(t, 300*time.Millisecond, time.Since(began))
		a.cluster.Primary().Thaw()
	})
}

func allTokens(t *testing.T, sessions []context.Context, check func(token string, err error)) {
	t.Helper()
	var wg sync.WaitGroup
	for _, s := range sessions {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(s, 300*time.Millisecond)
			defer cancel()
			check(router.SessionFrom(s).Token(ctx))
		})
	}
	wg.Wait()
}

func TestTokenOfNothing(t *testing.T) {
	twoProcesses(t, 1, func(t *testing.T, a, _ *process) {
		token, err := router.SessionFrom(router.NewSession(t.Context())).Token(t.Context())
		require.NoError(t, err)
		assert.Empty(t, token)
		ctx := mustResume(t, "")
		_, route := a.mustRead(t, ctx)
		assert.Equal(t, fromReader1, route)
		require.NoError(t, router.SessionFrom(ctx).Err())
	})
}

// For the race detector.
func TestTokenConcurrently(t *testing.T) {
	twoProcesses(t, 2, func(t *testing.T, a, b *process) {
		ctx := router.NewSession(t.Context())
		a.mustWrite(t, ctx, 1)
		var wg sync.WaitGroup
		for i := range int64(8) {
			wg.Go(func() {
				for range 10 {
					token, err := router.SessionFrom(ctx).Token(t.Context())
					assert.NoError(t, err)
					_, err = router.ResumeSession(ctx, token)
					assert.NoError(t, err)
					_, _, err = b.read(ctx)
					assert.NoError(t, err)
					assert.NoError(t, a.write(ctx, i), fmt.Sprint(i))
				}
			})
		}
		wg.Wait()
		require.NoError(t, router.SessionFrom(ctx).Err())
	})
}
