package observe

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// collectBy has metrics read when the meter collects them.
func (o *observer) collectBy(meter metric.Meter) (metric.Registration, error) {
	return meter.RegisterCallback(o.collect, o.instruments.observed()...)
}

// collect tells what is known of every bind that there is. It asks no server.
func (o *observer) collect(_ context.Context, to metric.Observer) error {
	present := o.present()
	for _, b := range present {
		b.collect(to)
	}
	return nil
}

// present returns who is told of the binds that there are, and forgets the others; none once the manager is closed.
func (o *observer) present() []*bind {
	if _, err := o.manager.Bind(binds.Key("")); errors.Is(err, manager.ErrClosed) {
		return nil
	}
	list := o.manager.Binds()
	o.mu.Lock()
	defer o.mu.Unlock()
	var present []*bind
	for _, of := range list {
		if b := o.binds[of.Key()]; b != nil {
			present = append(present, b)
		}
	}
	if len(present) < len(o.binds) {
		clear(o.binds)
		for _, b := range present {
			o.binds[b.of.Key()] = b
		}
	}
	return present
}

func (b *bind) collect(to metric.Observer) {
	engines := append([]*binds.Engine{b.of.WriterEngine()}, b.of.ReaderEngines()...)
	b.forget(engines)
	of := bindKey.String(b.of.Key().String())
	b.collectCounts(to, of)
	b.collectHealth(to, of)
	for _, e := range engines {
		b.collectPool(to, e, of)
	}
}

func (b *bind) collectCounts(to metric.Observer, of attribute.KeyValue) {
	i, stats, attrs := &b.instruments, b.of.Stats(), metric.WithAttributes(of)
	to.ObserveInt64(i.retries, int64(stats.Retried), attrs)
	to.ObserveInt64(i.fallbacks, int64(stats.ToWriter), attrs)
	to.ObserveInt64(i.refusals, int64(stats.Refused), attrs)
	to.ObserveInt64(i.unknown, int64(stats.Unknown), attrs)
	for engine, counts := range b.counted() {
		for reason := range counts {
			n := counts[reason].Load()
			if n == 0 {
				continue
			}
			attrs := []attribute.KeyValue{of, reasonKey.String(router.Reason(reason).String())}
			if engine != "" {
				attrs = append(attrs, engineKey.String(engine))
			}
			to.ObserveInt64(i.decisions, int64(n), metric.WithAttributes(attrs...))
		}
	}
}

// ofEngine returns the attributes of a metric of one engine.
func ofEngine(of attribute.KeyValue, e *binds.Engine) metric.MeasurementOption {
	return metric.WithAttributes(of, engineKey.String(e.Name()), roleKey.String(e.Role().String()))
}

func (b *bind) collectHealth(to metric.Observer, of attribute.KeyValue) {
	i, r := &b.instruments, b.of.Router()
	if down, known := r.WriterHealth(); known {
		to.ObserveInt64(i.up, flag(down == nil), ofEngine(of, r.Writer()))
	}
	for _, h := range r.KnownHealth() {
		attrs := ofEngine(of, h.Engine)
		to.ObserveInt64(i.serving, flag(h.Serving), attrs)
		if !h.Shared {
			to.ObserveInt64(i.up, flag(h.Down == nil), attrs)
		}
		if h.LagKnown && h.Down == nil {
			to.ObserveFloat64(i.lag, h.Lag.Seconds(), attrs)
		}
	}
}

func flag(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// collectPool tells of the pool of an engine.
func (b *bind) collectPool(to metric.Observer, e *binds.Engine, of attribute.KeyValue) {
	i, stats := &b.instruments, e.Stats()
	waiting, refused := e.Waits()
	pool := append(addressOf(e), of, roleKey.String(e.Role().String()), semconv.DBClientConnectionPoolName(e.Name()))
	with := func(state attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributes(append(slices.Clone(pool), state)...)
	}
	attrs := metric.WithAttributes(pool...)
	to.ObserveInt64(i.connections, int64(stats.Idle), with(semconv.DBClientConnectionStateIdle))
	to.ObserveInt64(i.connections, int64(stats.InUse), with(semconv.DBClientConnectionStateUsed))
	if bound := e.Pool().MaxOpen; bound > 0 {
		to.ObserveInt64(i.maxOpen, int64(bound), attrs)
	}
	to.ObserveInt64(i.maxIdle, int64(max(e.Pool().MaxIdle, 0)), attrs)
	to.ObserveInt64(i.pending, int64(waiting), attrs)
	to.ObserveInt64(i.timeouts, int64(refused), attrs)
	to.ObserveInt64(i.waits, stats.WaitCount, attrs)
	to.ObserveFloat64(i.waited, stats.WaitDuration.Seconds(), attrs)
}
