package observe

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/bindery-go/bindery/router"
)

// TxBegins begins the span of a transaction, which those of its statements are in.
func (b *bind) TxBegins(ctx context.Context, tx *router.Tx) (inside context.Context, ends func()) {
	var span trace.Span
	inside = ctx
	if b.tracing.records(ctx) {
		inside, span = b.tracing.start(ctx, "transaction", trace.WithTimestamp(tx.Began),
			trace.WithAttributes(bindKey.String(b.of.Key().String())))
	}
	return inside, func() { b.txEnds(ctx, span, tx) }
}

// txEnds records a transaction. Its span is nil if there is none.
func (b *bind) txEnds(ctx context.Context, span trace.Span, tx *router.Tx) {
	s := b.seriesOf(tx.Engine)
	outcome := txOutcomeKey.String(outcomeOf(tx))
	b.instruments.transactions.Record(ctx, tx.Took.Seconds(), metric.WithAttributes(slices.Concat(s.few, []attribute.KeyValue{outcome})...))
	if span == nil {
		return
	}
	span.SetAttributes(s.with(outcome, readOnlyKey.Bool(tx.ReadOnly), txTryKey.Int(tx.Try))...)
	if tx.Name != "" {
		span.SetAttributes(txNameKey.String(tx.Name))
	}
	if tx.Err != nil {
		fail(span, failureAttributes(failureOf(tx.Engine, tx.Err)))
	}
	span.End(trace.WithTimestamp(tx.Began.Add(tx.Took)))
}

func outcomeOf(tx *router.Tx) string {
	switch {
	case tx.Committed:
		return committed
	case errors.Is(tx.Err, router.ErrOutcomeUnknown):
		return unknown
	}
	return rolledBack
}
