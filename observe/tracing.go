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
	// quiet says that no span is made for a while, because the provider makes none: there is no SDK.
	quiet atomic.Bool
}

// quietFor is how long nobody looks whether there is an SDK by now.
const quietFor = time.Second

// records reports whether a span is worth to be begun in a context.
func (t *tracing) records(ctx context.Context) bool {
	if t.quiet.Load() {
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
		if !t.quiet.Swap(true) {
			time.AfterFunc(quietFor, func() { t.quiet.Store(false) })
		}
		return ctx, nil
	}
	return inside, nil
}
