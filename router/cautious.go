package router

import (
	"database/sql"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// A read that calls a function of the user's may write, and only the server knows. A reader refuses that. Where no reader
// may serve such a read, the writer's server does, by connections that refuse it likewise: whether it is a write is
// then found out here as there, and what is none need not be taken for one. To take it for one would keep readers
// from such reads for good, since each on the writer would ask the readers for more than they show yet.

// addCautious adds the engine whose connections lead to the writer's server and may not write. It connects when it is
// first used.
func (r *Router) addCautious() {
	r.cautious = r.writer.Sibling(r.writer.Name()+"-readonly", binds.As(binds.Reader), binds.WithPool(r.writer.Pool()))
	r.watchWriter(r.cautious)
}

// beware has a read for which there was no reader run on a connection that may not write, if it may write.
func (r *Router) beware(to *route, query string) {
	to.cautious = to.reader == nil && to.kind == sqlkind.Read && to.forWantOfReader() && r.cautious != nil &&
		!r.kinds.Harmless(query) && r.writer.Pooler() == "" // by a pooler a belt is other clients' too
}

// onWriter returns the pool of the writer's server where a statement runs.
func (r *Router) onWriter(to *route) *sql.DB {
	if to.cautious {
		return r.cautious.DB()
	}
	return r.writerDB
}
