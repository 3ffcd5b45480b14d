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
	product   string // of which they tell
	attrs     []attribute.KeyValue
	ops       [operations]atomic.Pointer[[]metric.RecordOption] // of statements that succeed; nil until there is one
	decisions *decisions
}

// decisions count statements by reason.
type decisions [reasons]atomic.Uint64

// newSeries returns those of an engine, nil for the statements that reached none.
func newSeries(key binds.Key, e *binds.Engine, product string, d *decisions) *series {
	s := &series{product: product, decisions: d}
	s.attrs = append(s.attrs, systemOf(product), bindKey.String(key.String()))
	if e == nil {
		return s
	}
	s.attrs = append(s.attrs, engineKey.String(e.Name()), roleKey.String(e.Role().String()))
	return s.withAddress(e)
}

func (s *series) withAddress(e *binds.Engine) *series {
	host, port := e.Address()
	if host != "" {
		s.attrs = append(s.attrs, semconv.ServerAddress(host))
	}
	if port != 0 {
		s.attrs = append(s.attrs, semconv.ServerPort(port))
	}
	return s
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
	set := attribute.NewSet(s.with(append(how, semconv.DBOperationName(op.String()))...)...)
	return []metric.RecordOption{metric.WithAttributeSet(set)}
}

// count counts a statement by its reason.
func (s *series) count(reason router.Reason) {
	if int(reason) < reasons {
		s.decisions[reason].Add(1)
	}
}
