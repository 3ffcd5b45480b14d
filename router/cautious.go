package router

import (
	"database/sql"
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// A read that calls a function of the user's may write, and only the server knows. A reader refuses that. Where no reader
// may serve such a read, the writer's server does, by connections that refuse it likewise: whether it is a write is
// then found out here as there, and what is none need not be taken for one. To take it for one would keep readers
// from such reads for good, since each on the writer would ask the readers for more than they show yet.

// cautious is the engine whose connections lead to the writer's server and may not write. It is made when the first such read
// comes: most binds never need it.
type cautious struct {
	mu     sync.Mutex // held to make it, and to close it
	engine atomic.Pointer[binds.Engine]
	closed bool
}

// cautiousEngine returns that engine, nil where there is none: no reader is asked first, or the router is closed.
func (r *Router) cautiousEngine() *binds.Engine {
	if e := r.cautious.engine.Load(); e != nil {
		return e
	}
	if r.monitor == nil {
		return nil
	}
	r.cautious.mu.Lock()
	defer r.cautious.mu.Unlock()
	e := r.cautious.engine.Load()
	if e == nil && !r.cautious.closed {
		e = r.writer.Sibling(r.writer.Name()+"-readonly", binds.As(binds.Reader), binds.WithPool(r.writer.Pool()))
		r.watchWriter(e)
		r.cautious.engine.Store(e)
	}
	return e
}

// closeCautious closes it, and lets nobody make it again.
func (r *Router) closeCautious() {
	r.cautious.mu.Lock()
	defer r.cautious.mu.Unlock()
	r.cautious.closed = true
	if e := r.cautious.engine.Load(); e != nil {
		r.closeOwn(e)
	}
}

// beware has a read for which there was no reader run on a connection that may not write, if it may write.
func (r *Router) beware(to *route, query string) {
	to.cautious = to.reader == nil && to.kind == sqlkind.Read && to.forWantOfReader() && !r.kinds.Harmless(query) &&
		r.writer.Pooler() == "" && // by a pooler a belt is other clients' too
		r.cautiousEngine() != nil
}

// onWriter returns the pool of the writer's server where a statement runs.
func (r *Router) onWriter(to *route) *sql.DB {
	if to.cautious {
		return r.cautious.engine.Load().DB()
	}
	return r.writerDB
}
