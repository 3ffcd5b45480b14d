package observe

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// tracing makes spans.
type tracing struct {
	tracer trace.Tracer
	// quiet is until when no span is made, in Unix nanoseconds, because the provider makes none: there is no SDK.
	quiet atomic.Int64
}

// quietFor is how long nobody looks whether there is an SDK by now.
const quietFor = time.Second

// records reports whether a span is worth to be begun in a context, at a time.
func (t *tracing) records(ctx context.Context, at time.Time) bool {
	if quiet := t.quiet.Load(); quiet != 0 && at.UnixNano() < quiet {
		return false
	}
	parent := trace.SpanContextFromContext(ctx)
	return !parent.IsValid() || parent.IsSampled()
}

// start begins a span. It is nil if it is not recorded.
func (t *tracing) start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	inside, span := t.tracer.Start(ctx, name, opts...)
	if span.IsRecording() {
		return inside, span
	}
	if span.SpanContext().SpanID() == trace.SpanContextFromContext(ctx).SpanID() { // it is none, but its parent's
		t.quiet.Store(time.Now().Add(quietFor).UnixNano())
		return ctx, nil
	}
	return inside, nil
}
