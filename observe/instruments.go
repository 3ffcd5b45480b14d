package observe

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
)

// instruments are those that record what happens as it happens, and those that are read when metrics are collected.
type instruments struct {
	duration, transactions, locks metric.Float64Histogram
	ejections                     metric.Int64Counter

	decisions, retries, fallbacks, refusals, unknown metric.Int64ObservableCounter
	lag                                              metric.Float64ObservableGauge
	up, serving                                      metric.Int64ObservableGauge

	connections, maxOpen, maxIdle, pending metric.Int64ObservableUpDownCounter
	timeouts, waits                        metric.Int64ObservableCounter
	waited                                 metric.Float64ObservableCounter
}

// A maker makes instruments, and keeps the errors.
type maker struct {
	metric.Meter
	errs []error
}

func made[T any](m *maker, instrument T, err error) T {
	if err != nil {
		m.errs = append(m.errs, err)
	}
	return instrument
}

func (m *maker) seconds(name, description string) metric.Float64Histogram {
	h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(durations...))
	return made(m, h, err)
}

func (m *maker) counter(name, unit, description string) metric.Int64ObservableCounter {
	c, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	return made(m, c, err)
}

func (m *maker) gauge(name, unit, description string) metric.Int64ObservableGauge {
	g, err := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	return made(m, g, err)
}

// named is what the conventions say of an instrument.
type named interface {
	Name() string
	Unit() string
	Description() string
}

func (m *maker) upDown(n named) metric.Int64ObservableUpDownCounter {
	c, err := m.Int64ObservableUpDownCounter(n.Name(), metric.WithUnit(n.Unit()), metric.WithDescription(n.Description()))
	return made(m, c, err)
}

// make makes all of them.
func (i *instruments) make(meter metric.Meter) error {
	m := &maker{Meter: meter}
	duration, timeouts := dbconv.ClientOperationDuration{}, dbconv.ClientConnectionTimeouts{}
	i.duration = m.seconds(duration.Name(), duration.Description())
	i.transactions = m.seconds("bindery.transaction.duration", "Duration of transactions, from before BEGIN to after COMMIT or ROLLBACK.")
	i.locks = m.seconds("bindery.lock.wait_duration", "Duration of calls for named locks, until the lock was had or not.")
	ejections, err := m.Int64Counter("bindery.ejections", metric.WithUnit("{ejection}"),
		metric.WithDescription("Times that a reader was taken out of service because it was found gone."))
	i.ejections = made(m, ejections, err)

	i.decisions = m.counter("bindery.routing.decisions", "{statement}", "Statements by the engine that ran them and the reason.")
	i.retries = m.counter("bindery.retries", "{retry}", "Statements and transactions that were sent again after a failure.")
	i.fallbacks = m.counter("bindery.fallbacks", "{statement}", "Plain reads that the writer served because no reader was up and fresh enough.")
	i.refusals = m.counter("bindery.refusals", "{statement}", "Statements taken for reads that a reader refused as writes.")
	i.unknown = m.counter("bindery.outcomes_unknown", "{statement}", "Writes and COMMITs whose answer did not come.")
	lag, err := m.Float64ObservableGauge("bindery.reader.lag", metric.WithUnit("s"), metric.WithDescription("How far a reader trailed when it was looked at last."))
	i.lag = made(m, lag, err)
	i.up = m.gauge("bindery.engine.up", "{engine}", "1 if the engine's server answered the latest look at it, else 0.")
	i.serving = m.gauge("bindery.reader.serving", "{reader}", "1 if plain reads may go to the reader, else 0.")

	i.connections = m.upDown(dbconv.ClientConnectionCount{})
	i.maxOpen = m.upDown(dbconv.ClientConnectionMax{})
	i.maxIdle = m.upDown(dbconv.ClientConnectionIdleMax{})
	i.pending = m.upDown(dbconv.ClientConnectionPendingRequests{})
	i.timeouts = m.counter(timeouts.Name(), timeouts.Unit(), timeouts.Description())
	i.waits = m.counter("bindery.pool.waits", "{request}", "Callers that had to wait for a connection of the pool.")
	waited, err := m.Float64ObservableCounter("bindery.pool.wait_time", metric.WithUnit("s"), metric.WithDescription("Time that callers waited for connections of the pool, together."))
	i.waited = made(m, waited, err)
	return errors.Join(m.errs...)
}

// observed are those that are read when metrics are collected.
func (i *instruments) observed() []metric.Observable {
	return []metric.Observable{i.decisions, i.retries, i.fallbacks, i.refusals, i.unknown, i.lag, i.up, i.serving,
		i.connections, i.maxOpen, i.maxIdle, i.pending, i.timeouts, i.waits, i.waited}
}
