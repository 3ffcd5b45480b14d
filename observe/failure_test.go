package observe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/routertest"
)

func TestRetryIsAnEventOfItsSpan(t *testing.T) {
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	ctx, end := w.request(t)
	w.cluster.Replicas()[0].FailStatements(func(query string) error { // but not what the monitor asks
		if strings.Contains(query, "users") {
			return routertest.ErrBusy
		}
		return nil
	})
	var users []user
	require.NoError(t, w.NewSelect(&users).Scan(ctx))
	end()

	assert.Equal(t, []string{
		"request",
		"  SELECT users accounts/writer readers_down +retry",
	}, w.lines("bindery.engine", "bindery.reason"))
	for _, s := range w.spans.GetSpans() {
		for _, e := range s.Events {
			engine, _ := attributeOf(e.Attributes, "bindery.engine")
			assert.Equal(t, "accounts/reader-1", engine, "which failed")
			assert.False(t, e.Time.Before(s.StartTime) || e.Time.After(s.EndTime), "while the statement ran")
		}
	}
	assert.Equal(t, map[string]float64{"bindery.bind=accounts,bindery.engine=accounts/reader-1,bindery.role=reader": 1}, w.series(t, "bindery.ejections"))
	assert.Equal(t, map[string]float64{"bindery.bind=accounts": 1}, w.series(t, "bindery.retries"))
	assert.Equal(t, map[string]float64{"bindery.bind=accounts": 1}, w.series(t, "bindery.fallbacks"))
}

func TestHealthOfAnEngineThatIsGone(t *testing.T) {
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	const reader = "bindery.bind=accounts,bindery.engine=accounts/reader-1,bindery.role=reader"
	w.cluster.Replicas()[0].Down()
	for w.series(t, "bindery.engine.up")[reader] == 1 {
		require.NoError(t, t.Context().Err())
	}
	assert.Equal(t, map[string]float64{
		"bindery.bind=accounts,bindery.engine=accounts/writer,bindery.role=writer": 1,
		reader: 0,
	}, w.series(t, "bindery.engine.up"))
	assert.Equal(t, map[string]float64{reader: 0}, w.series(t, "bindery.reader.serving"))
	assert.Empty(t, w.series(t, "bindery.reader.lag"), "nobody knows")
	assert.Equal(t, map[string]float64{reader: 1}, w.series(t, "bindery.ejections"))
}

func TestLagIsThatOfTheLatestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.on(t, w.DBManager)
		const reader = "bindery.bind=accounts,bindery.engine=accounts/reader-1,bindery.role=reader"
		var users []user
		require.NoError(t, w.NewSelect(&users).Scan(t.Context()))
		time.Sleep(10 * time.Minute) // nobody reads: the bind is looked at once a minute
		assert.Zero(t, w.series(t, "bindery.reader.lag")[reader], "what nobody looked at is not late")
		w.cluster.Replicas()[0].SetLag(5 * time.Second)
		for range 200 {
			_, err := w.NewInsert(&user{Name: "ada"}).Exec(t.Context())
			require.NoError(t, err)
			require.NoError(t, w.NewSelect(&users).Limit(1).Scan(t.Context()))
			time.Sleep(100 * time.Millisecond)
		}
		assert.InDelta(t, 5.0, w.series(t, "bindery.reader.lag")[reader], 0.5, "seconds")
	})
}

func TestOutcomeUnknown(t *testing.T) {
	w := newWorld(t, 0)
	w.on(t, w.DBManager)
	ctx, end := w.request(t)
	w.cluster.Primary().LoseAnswer()
	_, err := w.NewInsert(&user{Name: "ada"}).Exec(ctx)
	require.ErrorIs(t, err, router.ErrOutcomeUnknown)
	end()
	assert.Equal(t, []string{"request", "  INSERT users outcome_unknown"}, w.lines("error.type"))
	assert.Equal(t, map[string]float64{"bindery.bind=accounts": 1}, w.series(t, "bindery.outcomes_unknown"))
	assert.Equal(t, map[string]float64{
		"bindery.bind=accounts,bindery.engine=accounts/writer,db.operation.name=INSERT,db.system.name=other_sql,error.type=outcome_unknown": 1,
	}, w.series(t, "db.client.operation.duration"))

	ctx, end = w.request(t)
	err = w.InTx(ctx, accounts{}, func(ctx context.Context) error {
		_, err := w.NewInsert(&user{Name: "eve"}).Exec(ctx)
		w.cluster.Primary().LoseAnswer()
		return err
	})
	require.ErrorIs(t, err, router.ErrOutcomeUnknown)
	end()
	assert.Equal(t, []string{
		"request",
		"  transaction unknown outcome_unknown",
		"    BEGIN",
		"    INSERT users",
		"    COMMIT outcome_unknown",
	}, w.lines("bindery.transaction.outcome", "error.type"))
}

func TestEachTryOfATransactionHasASpan(t *testing.T) {
	w := newWorld(t, 0)
	w.on(t, w.DBManager)
	ctx, end := w.request(t)
	tries := 0
	require.NoError(t, w.InTx(ctx, accounts{}, func(ctx context.Context) error {
		if tries++; tries == 1 {
			w.cluster.Primary().FailNext(routertest.ErrSerialization)
		}
		_, err := w.NewInsert(&user{Name: "ada"}).Exec(ctx)
		return err
	}, manager.Retry(1)))
	end()
	failed := "*errors.errorString"
	assert.Equal(t, []string{
		"request",
		"  transaction 1 rolled_back " + failed,
		"    BEGIN",
		"    INSERT users " + failed,
		"    ROLLBACK",
		"  transaction 2 committed",
		"    BEGIN",
		"    INSERT users",
		"    COMMIT",
	}, w.lines("bindery.transaction.try", "bindery.transaction.outcome", "error.type"))
	assert.Equal(t, map[string]float64{
		"bindery.bind=accounts,bindery.engine=accounts/writer,bindery.transaction.outcome=committed,db.system.name=other_sql":   1,
		"bindery.bind=accounts,bindery.engine=accounts/writer,bindery.transaction.outcome=rolled_back,db.system.name=other_sql": 1,
	}, w.series(t, "bindery.transaction.duration"))
}

func TestTransactionThatPanicsEndsItsSpan(t *testing.T) {
	w := newWorld(t, 0)
	w.on(t, w.DBManager)
	ctx, end := w.request(t)
	assert.Panics(t, func() { _ = w.InTx(ctx, accounts{}, func(context.Context) error { panic("stop") }) })
	end()
	assert.Equal(t, []string{"request", "  transaction rolled_back", "    BEGIN", "    ROLLBACK"}, w.lines("bindery.transaction.outcome"))
}

func TestStatementsThatReachNoEngine(t *testing.T) {
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	ctx, end := w.request(t)
	b, err := w.Bind(accounts{})
	require.NoError(t, err)
	_, err = b.Reader().NewInsert().Model(&user{Name: "ada"}).Exec(ctx)
	require.Error(t, err)
	end()
	assert.Equal(t, []string{"request", "  INSERT users unrouted *router.WriteOnReaderError"}, w.lines("bindery.engine", "bindery.reason", "error.type"))

	ended, cancel := context.WithCancel(ctx)
	cancel()
	w.spans.Reset()
	var users []user
	require.ErrorIs(t, w.NewSelect(&users).Scan(ended), context.Canceled)
	assert.Equal(t, []string{"SELECT users canceled"}, w.lines("error.type"))
	assert.Equal(t, codes.Error, w.spans.GetSpans()[0].Status.Code)
	assert.Equal(t, "canceled", w.spans.GetSpans()[0].Status.Description)
}

func TestLockWaits(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	r.on(t, m)
	ctx, end := r.request(t)
	l, err := m.Lock(ctx, accounts{}, "invoice-4711")
	require.NoError(t, err)
	_, err = m.Lock(ctx, accounts{}, "invoice-4711", manager.TryOnly())
	require.ErrorIs(t, err, manager.ErrLockTimeout)
	require.NoError(t, l.Unlock())
	end()
	assert.Equal(t, []string{
		"request",
		"  lock wait accounts accounts/writer writer sqlite",
		"  lock wait accounts accounts/writer writer sqlite lock_timeout",
	}, r.lines("bindery.bind", "bindery.engine", "bindery.role", "db.system.name", "error.type"))
	assert.Equal(t, map[string]float64{
		"bindery.bind=accounts,bindery.engine=accounts/writer,db.system.name=sqlite":                         1,
		"bindery.bind=accounts,bindery.engine=accounts/writer,db.system.name=sqlite,error.type=lock_timeout": 1,
	}, r.series(t, "bindery.lock.wait_duration"))
	r.hides(t, "4711")
}

func TestErrorsWithoutTypesOfTheirOwn(t *testing.T) {
	r, m := newTelemetry(t), sqliteManager(t, "accounts")
	r.on(t, m)
	ctx, end := r.request(t)
	mine := errors.New("mine")
	require.ErrorIs(t, m.InTx(ctx, accounts{}, func(context.Context) error { return errors.Join(mine, context.Canceled) }), mine)
	_, err := m.NewRaw(accounts{}, "SELECT nothing FROM nowhere").Exec(ctx)
	require.Error(t, err)
	end()
	assert.Equal(t, []string{
		"request",
		"  transaction canceled",
		"    BEGIN",
		"    ROLLBACK",
		"  SELECT nowhere 1 1",
	}, r.lines("error.type", "db.response.status_code"))
}
