package observe

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// bind is who is told of what happens on one bind.
type bind struct {
	*observer
	of *manager.Bind

	known atomic.Pointer[map[*binds.Engine]*series] // replaced, never changed

	mu        sync.Mutex            // held while known is replaced; guards the rest
	decisions map[string]*decisions // by engine name, which stays when the configuration changes
}

var _ router.Observer = (*bind)(nil)

func newBind(o *observer, of *manager.Bind) *bind {
	b := &bind{observer: o, of: of, decisions: make(map[string]*decisions)}
	b.known.Store(new(map[*binds.Engine]*series))
	return b
}

// seriesOf returns those of an engine, nil for the statements that reached none.
func (b *bind) seriesOf(e *binds.Engine) *series {
	if s := (*b.known.Load())[e]; s != nil {
		return s
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known := *b.known.Load()
	if s := known[e]; s != nil { // made meanwhile
		return s
	}
	product, name := b.of.WriterEngine().Product(), ""
	if e != nil {
		product, name = e.Product(), e.Name()
	}
	counts := b.decisions[name]
	if counts == nil {
		counts = new(decisions)
		b.decisions[name] = counts
	}
	s := newSeries(b.of.Key(), e, product, counts)
	next := maps.Clone(known)
	if next == nil {
		next = make(map[*binds.Engine]*series)
	}
	next[e] = s
	b.known.Store(&next)
	return s
}

// forget forgets the series of engines that the bind has no more, and of those that tell of another product than was known.
func (b *bind) forget(present []*binds.Engine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := make(map[*binds.Engine]*series)
	for _, e := range present {
		if s := (*b.known.Load())[e]; s != nil && s.product == e.Product() {
			next[e] = s
		}
	}
	b.known.Store(&next)
}

// counted returns the numbers of decisions by engine name.
func (b *bind) counted() map[string]*decisions {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.decisions)
}

// Statement records a statement.
func (b *bind) Statement(ctx context.Context, st *router.Statement) {
	s, op := b.seriesOf(st.Engine), operationOf(st.Query)
	s.count(st.Reason)
	took := st.Took.Seconds()
	if st.Err == nil {
		b.instruments.duration.Record(ctx, took, s.of(op)...)
	} else {
		b.instruments.duration.Record(ctx, took, s.failed(op, failureAttributes(failureOf(st.Engine, st.Err))...)...)
	}
	if b.tracing.records(ctx) {
		b.traceStatement(ctx, s, op, st)
	}
}

// Ejected counts a reader that went out of service.
func (b *bind) Ejected(reader *binds.Engine) {
	b.instruments.ejections.Add(context.Background(), 1, ofEngine(bindKey.String(b.of.Key().String()), reader))
}
