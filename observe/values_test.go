package observe_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/bindery-go/bindery/observe"
	"github.com/bindery-go/bindery/router"
)

// hides asserts that a text is in no span and no metric.
func (r *telemetry) hides(t testing.TB, text string) {
	spans := r.spans.GetSpans()
	require.NotEmpty(t, spans)
	for _, s := range spans {
		assert.NotContains(t, fmt.Sprintf("%v %v %v %v", s.Name, s.Attributes, s.Events, s.Status), text)
	}
	var got metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(context.Background(), &got))
	require.NotEmpty(t, got.ScopeMetrics)
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			values := make(map[string]float64)
			addPoints(t, values, m.Data)
			assert.NotContains(t, fmt.Sprint(m.Name, values), text)
		}
	}
}

func TestNoValueIsShown(t *testing.T) {
	const canary = "c4n4ry"
	w := newWorld(t, 1)
	w.on(t, w.DBManager)
	b, err := w.Bind(accounts{})
	require.NoError(t, err)
	ctx, end := w.request(t)
	ignore := func(error) {}

	_, err = w.NewInsert(&user{Name: canary}).Exec(ctx)
	require.NoError(t, err)
	var users []user
	require.NoError(t, w.NewSelect(&users).Where("name = ?", canary).Scan(ctx))
	require.NoError(t, w.NewSelect(&users).Where("name = '"+canary+"' /* "+canary+" */").Scan(ctx))
	_, err = b.DB().ExecContext(ctx, "UPDATE users SET name = ?", canary)
	require.NoError(t, err)
	_, err = b.WriterEngine().DB().ExecContext(ctx, "UPDATE users SET name = ? WHERE name = 'x"+canary+"'", canary)
	require.NoError(t, err)
	stmt, err := b.DB().PrepareContext(ctx, "DELETE FROM users WHERE name = '"+canary+"' AND id > ?")
	require.NoError(t, err)
	_, err = stmt.ExecContext(ctx, 7)
	require.NoError(t, err)
	require.NoError(t, stmt.Close())
	_, err = w.NewRaw(accounts{}, "SELECT '"+canary).Exec(ctx) // unterminated
	require.Error(t, err)
	ignore(w.InTx(ctx, accounts{}, func(ctx context.Context) error { return errors.New(canary) }))
	ignore(w.InTx(ctx, accounts{}, func(ctx context.Context) error { return fmt.Errorf("%s: %w", canary, context.Canceled) }))

	w.cluster.Primary().FailStatements(func(string) error { return errors.New("duplicate " + canary) })
	_, err = w.NewInsert(&user{Name: canary}).Exec(ctx)
	require.ErrorContains(t, err, canary)
	require.ErrorContains(t, b.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&user{Name: canary}).Exec(ctx)
		return err
	}), canary)
	require.ErrorContains(t, w.NewSelect(&users).Where("name = ?", canary).Scan(router.OnWriter(ctx)), canary)
	end()

	assert.Greater(t, len(w.spans.GetSpans()), 15)
	w.hides(t, canary)
}

func TestWithoutQueryText(t *testing.T) {
	w := newWorld(t, 0)
	w.on(t, w.DBManager, observe.WithoutQueryText())
	ctx, end := w.request(t)
	var users []user
	require.NoError(t, w.NewSelect(&users).Scan(ctx))
	end()
	assert.Equal(t, []string{"request", "  SELECT users SELECT users"}, w.lines("db.query.summary", "db.query.text"))
}
