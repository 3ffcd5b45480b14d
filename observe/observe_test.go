package observe_test

import (
	"context"
	"database/sql"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/observe"
	"github.com/bindery-go/bindery/router"
)

func writeFile(t testing.TB, path, text string) {
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestOnOnce(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	off := r.on(t, m)
	_, err := observe.On(m, r.options()...)
	require.ErrorIs(t, err, manager.ErrObserved)
	require.NoError(t, off())
	require.NoError(t, off(), "again")
	r.on(t, m)
	require.NoError(t, m.Close())
	assert.Empty(t, r.bindsOf(t), "it is closed")
	_, err = observe.On(m, r.options()...)
	require.ErrorIs(t, err, manager.ErrClosed)
	_, err = observe.On(nil)
	require.ErrorContains(t, err, "nil")
}

// The global providers of a process can be set once for all who have them: so this has one of its own.
func TestGlobalProvidersThatAreSetLater(t *testing.T) {
	const alone = "BINDERY_OBSERVE_ALONE"
	if os.Getenv(alone) == "" {
		self, err := os.Executable()
		require.NoError(t, err)
		again := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.count=1")
		again.Env = append(os.Environ(), alone+"=1")
		out, err := again.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "PASS")
		return
	}
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	off, err := observe.On(m)
	require.NoError(t, err)
	defer func() { require.NoError(t, off()) }()
	otel.SetTracerProvider(r.tracer)
	otel.SetMeterProvider(r.meters)
	_, err = m.NewRaw(accounts{}, "SELECT 1").Exec(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"SELECT"}, r.lines())
	assert.Len(t, r.series(t, "db.client.operation.duration"), 1)
}

// tracingHook makes spans as Bun's bunotel does: it puts one into the query's context.
type tracingHook struct{ tracer trace.Tracer }

func (h tracingHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	ctx, _ = h.tracer.Start(ctx, "bun")
	return ctx
}

func (h tracingHook) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	span := trace.SpanFromContext(ctx)
	span.SetName("bun " + e.Operation())
	span.End()
}

func TestBunsHooksKeepWorking(t *testing.T) {
	r := newTelemetry(t)
	w := newWorld(t, 1, manager.WithQueryHook(tracingHook{r.tracer.Tracer("bun")}))
	w.telemetry = r
	w.on(t, w.DBManager)
	ctx, end := r.request(t)
	_, err := w.NewInsert(&user{Name: "ada"}).Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, w.InTx(ctx, accounts{}, func(ctx context.Context) error {
		_, err := w.NewInsert(&user{Name: "eve"}).Exec(ctx)
		return err
	}))
	end()
	assert.ElementsMatch(t, []string{ // the clocks of both are not read at once
		"request",
		"  bun INSERT",
		"    INSERT users",
		"  transaction",
		"    BEGIN",
		"    bun BEGIN",
		"      bun INSERT",
		"        INSERT users",
		"      COMMIT",
		"      bun COMMIT",
	}, r.lines())
}

func TestExplainAndSlowLinesBesideIt(t *testing.T) {
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	ctx, route := router.Explain(t.Context())
	var users []user
	require.NoError(t, w.NewSelect(&users).Scan(ctx))
	require.NoError(t, w.InTx(ctx, accounts{}, func(ctx context.Context) error { return w.NewSelect(&users).Scan(ctx) }))
	assert.Len(t, route.Decisions(), 2)
	assert.Equal(t, "accounts/reader-1", route.Decisions()[0].Engine)
	assert.Equal(t, router.Transaction, route.Decisions()[1].Reason)
}

func TestPreparedAndPinnedStatements(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	_, err := m.NewCreateTable((*user)(nil)).Exec(t.Context())
	require.NoError(t, err)
	r.on(t, m)
	b, err := m.Bind(accounts{})
	require.NoError(t, err)
	ctx, end := r.request(t)
	conn, err := b.DB().Conn(ctx)
	require.NoError(t, err)
	_, err = conn.NewInsert().Model(&user{Name: "ada"}).Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	stmt, err := b.ReaderEngines()[0].DB().PrepareContext(ctx, "SELECT name FROM users WHERE id = ?")
	require.NoError(t, err)
	var name string
	require.NoError(t, stmt.QueryRowContext(ctx, 1).Scan(&name))
	require.NoError(t, stmt.Close())
	tx, err := b.Reader().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, tx.NewSelect().Model((*user)(nil)).Column("name").Scan(ctx, &name))
	require.NoError(t, tx.Rollback())
	end()
	assert.Equal(t, []string{
		"request",
		"  INSERT users accounts/writer unrouted",
		"  SELECT users accounts/reader-1 unrouted",
		"  BEGIN accounts/reader-1 unrouted",
		"  SELECT users accounts/reader-1 unrouted",
		"  ROLLBACK accounts/reader-1 unrouted",
	}, r.lines("bindery.engine", "bindery.reason"))
}

func TestParents(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	r.on(t, m)
	ctx, end := r.request(t)
	var inside trace.SpanID
	require.NoError(t, m.InTx(ctx, accounts{}, func(inner context.Context) error {
		inside = spanID(inner)
		return m.AfterCommit(inner, accounts{}, func(after context.Context) {
			assert.Equal(t, spanID(ctx), spanID(after), "the transaction has ended")
		})
	}))
	end()
	assert.NotEqual(t, spanID(ctx), inside)
	unsampled := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
	r.spans.Reset()
	_, err := m.NewRaw(accounts{}, "SELECT 1").Exec(unsampled)
	require.NoError(t, err)
	assert.Empty(t, r.lines(), "its trace is not recorded")
}

func TestConcurrentUse(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	_, err := m.NewCreateTable((*user)(nil)).Exec(t.Context())
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				var users []user
				assert.NoError(t, m.NewSelect(&users).Scan(t.Context()))
				assert.NoError(t, m.InTx(t.Context(), accounts{}, func(ctx context.Context) error {
					_, err := m.NewInsert(&user{Name: "ada"}).Exec(ctx)
					return err
				}))
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			off, err := observe.On(m, r.options()...)
			assert.NoError(t, err)
			r.series(t, "bindery.retries")
			assert.NoError(t, off())
		}
	})
	wg.Go(func() {
		for range 5 {
			_, err := m.Add(t.Context(), sqliteBind(t, "audit"))
			assert.NoError(t, err)
			assert.NoError(t, m.Remove(t.Context(), audit{}))
		}
	})
	wg.Wait()
}
