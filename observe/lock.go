package observe

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/bindery-go/bindery/router"
)

// LockWaited records a call for a named lock.
func (b *bind) LockWaited(ctx context.Context, w *router.LockWait) {
	s := b.seriesOf(w.Engine)
	var how []attribute.KeyValue
	if w.Err != nil {
		how = failureAttributes(failureOf(w.Engine, w.Err))
	}
	b.instruments.locks.Record(ctx, w.Took.Seconds(), metric.WithAttributes(slices.Concat(s.few, how)...))
	if !b.tracing.records(ctx) {
		return
	}
	ended := time.Now()
	attrs := s.with(semconv.DBOperationName(opLock.String()))
	_, span := b.tracing.start(ctx, "lock wait", trace.WithTimestamp(ended.Add(-w.Took)), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	if span == nil {
		return
	}
	if w.Err != nil {
		fail(span, how)
	}
	span.End(trace.WithTimestamp(ended))
}
