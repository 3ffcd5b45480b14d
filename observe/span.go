package observe

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// maxText is how much of a statement's outline a span shows, in bytes.
const maxText = 2000

// traceStatement makes the span of a statement, when that has ended: only then all is known by which a sampler may choose.
func (b *bind) traceStatement(ctx context.Context, s *series, op operation, st *router.Statement) {
	ended := time.Now()
	began := ended.Add(-st.Took)
	attrs := s.with(semconv.DBOperationName(op.String()), reasonKey.String(st.Reason.String()))
	_, span := b.tracing.start(ctx, op.String(), trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	if span == nil {
		return
	}
	outline := sqlkind.Outline(b.of.Dialect().Name(), st.Query, maxText)
	summary := op.String()
	if op == otherOperation {
		summary = "statement"
	}
	if table := collectionOf(op, outline); table != "" {
		summary += " " + table
		span.SetAttributes(semconv.DBCollectionName(table))
	}
	span.SetName(summary)
	span.SetAttributes(semconv.DBQuerySummary(summary))
	if b.texts {
		span.SetAttributes(semconv.DBQueryText(outline))
	}
	for _, r := range st.Retries {
		kind, code := failureOf(r.Engine, r.Err)
		attrs := append(failureAttributes(kind, code), engineKey.String(r.Engine.Name()))
		span.AddEvent("retry", trace.WithTimestamp(began.Add(r.After)), trace.WithAttributes(attrs...))
	}
	if st.Err != nil {
		fail(span, failureAttributes(failureOf(st.Engine, st.Err)))
	}
	span.End(trace.WithTimestamp(ended))
}

// fail notes how what the span is of has failed.
func fail(span trace.Span, attrs []attribute.KeyValue) {
	span.SetAttributes(attrs...)
	span.SetStatus(codes.Error, attrs[0].Value.AsString())
}
