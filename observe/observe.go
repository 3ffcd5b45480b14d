package observe

import (
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// scope is the instrumentation scope of spans and metrics.
const scope = "github.com/bindery-go/bindery/observe"

// An Option says where [On] tells, and what.
type Option func(*options)

type options struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
	texts   bool
}

// WithTracerProvider makes spans by p. Without it OpenTelemetry's global provider does, also one that is set later: within a second of
// that. A provider of package trace/noop switches spans off.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(o *options) {
		if p != nil {
			o.tracers = p
		}
	}
}

// WithMeterProvider makes metrics by p. Without it OpenTelemetry's global provider does, also one that is set later. A provider of package
// metric/noop switches metrics off.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(o *options) {
		if p != nil {
			o.meters = p
		}
	}
}

// WithoutQueryText leaves db.query.text off the spans. It has no values in any case; it is for those whose tables and columns nobody may know,
// or whose traces are paid by the byte. The summary, verb and table, stays.
func WithoutQueryText() Option { return func(o *options) { o.texts = false } }

// observer is who is told of a manager.
type observer struct {
	manager     *manager.DBManager
	tracing     tracing
	instruments instruments
	texts       bool

	mu    sync.Mutex // guards binds
	binds map[binds.Key]*bind
}

// On has the binds of m, and those that it opens later, tell OpenTelemetry what they do. Off ends that; it may be called again, and need not be
// called before m is closed: after that nothing is told. A manager is observed once at a time: a second On is [manager.ErrObserved]. On is safe
// for concurrent use.
func On(m *manager.DBManager, opts ...Option) (off func() error, err error) {
	if m == nil {
		return nil, errors.New("observe: the manager is nil: open it first")
	}
	o := options{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider(), texts: true}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	w := &observer{manager: m, texts: o.texts, binds: make(map[binds.Key]*bind)}
	w.tracing.tracer = o.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
	meter := o.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	if err := w.instruments.make(meter); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	stop, err := m.Observe(w.bindOf)
	if err != nil {
		return nil, err
	}
	collecting, err := w.collectBy(meter)
	if err != nil {
		stop()
		return nil, fmt.Errorf("observe: %w", err)
	}
	return sync.OnceValue(func() error {
		stop()
		return collecting.Unregister()
	}), nil
}

// bindOf returns who is told of a bind.
func (o *observer) bindOf(of *manager.Bind) router.Observer {
	b := newBind(o, of)
	if of.OnDemand() { // what is collected is of the configuration's binds
		return b
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.binds[of.Key()] = b
	return b
}
