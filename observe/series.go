package observe

import (
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// reasons is how many there are.
const reasons = int(router.LocalState) + 1

// series are the attributes of one engine of a bind, made once, so that a statement allocates none of them.
type series struct {
	product   string                                            // of which they tell
	attrs     []attribute.KeyValue                              // of spans
	few       []attribute.KeyValue                              // of what is recorded for each statement: each of them costs the SDK 30 ns
	ops       [operations]atomic.Pointer[[]metric.RecordOption] // of statements that succeed; nil until there is one
	decisions *decisions
}

// decisions count statements by reason.
type decisions [reasons]atomic.Uint64

// newSeries returns those of an engine, nil for the statements that reached none.
func newSeries(key binds.Key, e *binds.Engine, product string, d *decisions) *series {
	s := &series{product: product, decisions: d}
	s.few = append(s.few, systemOf(product), bindKey.String(key.String()))
	if e == nil {
		s.attrs = s.few
		return s
	}
	s.few = append(s.few, engineKey.String(e.Name()))
	s.attrs = append(slices.Clone(s.few), roleKey.String(e.Role().String()))
	s.attrs = append(s.attrs, addressOf(e)...)
	return s
}

// addressOf returns server.address and server.port of an engine, none where there is no server.
func addressOf(e *binds.Engine) (attrs []attribute.KeyValue) {
	host, port := e.Address()
	if host != "" {
		attrs = append(attrs, semconv.ServerAddress(host))
	}
	if port != 0 {
		attrs = append(attrs, semconv.ServerPort(port))
	}
	return attrs
}

// with returns the attributes and more.
func (s *series) with(more ...attribute.KeyValue) []attribute.KeyValue {
	return slices.Concat(s.attrs, more)
}

// of returns the options that record a statement which has succeeded.
func (s *series) of(op operation) []metric.RecordOption {
	if known := s.ops[op].Load(); known != nil {
		return *known
	}
	made := s.failed(op)
	s.ops[op].Store(&made)
	return made
}

// failed returns those of one that has failed, with what is told of that.
func (s *series) failed(op operation, how ...attribute.KeyValue) []metric.RecordOption {
	set := attribute.NewSet(slices.Concat(s.few, how, []attribute.KeyValue{semconv.DBOperationName(op.String())})...)
	return []metric.RecordOption{metric.WithAttributeSet(set)}
}

// count counts a statement by its reason.
func (s *series) count(reason router.Reason) {
	if int(reason) < reasons {
		s.decisions[reason].Add(1)
	}
}
