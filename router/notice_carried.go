package router

import (
	"context"
	"database/sql/driver"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// admit refuses what came past the router to another connection than that of the transaction which its
// context carries, and makes way for the rest.
func (c *watchedConn) admit(s *scope, query string) error {
	if c.refuses() {
		return driver.ErrBadConn
	}
	if s.tx != nil {
		if err := refusePast(s, c.notice.router, c.carried); err != nil {
			return err
		}
	}
	return c.makeWay(query)
}

// refusePast refuses what would run outside the transaction on r that its context carries, unless that is
// mine.
func refusePast(s *scope, r *Router, mine *openTx) error {
	l := s.tx.of(r)
	switch {
	case l == nil || l.tx == mine:
		return nil
	case l.done.Load():
		return l.doneError(nil)
	}
	return &PastTxError{Bind: r.key}
}

// fails tells the transaction that contexts carry on this connection, if there is one, of an error.
func (c *watchedConn) fails(err error) {
	if c.carried != nil {
		c.carried.failed(err)
	}
}

// watchShared looks at the connections of a bind whose engines share one copy of the data, which need no
// proof of freshness: only transactions that contexts carry, and outcomes that are unknown, matter
// there.
func (r *Router) watchShared() {
	r.watchConns(r.writer, &notice{
		engine:    r.writer,
		held:      r.held,
		router:    r,
		plainRead: r.isRead,
		wrote:     func(*Session) {},
		unsure:    r.unsure,
		conns:     &r.writerConns,
	})
	for _, reader := range r.readers {
		r.watchOutsider(reader.engine, reader.held, &reader.conns)
	}
}

// watchOutsider looks only at transactions that contexts carry. Held counts them, conns has the connections; nil: nobody does.
func (r *Router) watchOutsider(e *binds.Engine, held *holding, conns *conns) {
	r.watchConns(e, &notice{engine: e, held: held, router: r, reads: true, wrote: func(*Session) {}, conns: conns})
}

func (r *Router) watchConns(e *binds.Engine, n *notice) {
	e.BoundWait()
	e.OnConnect(func(_ context.Context, conn driver.Conn) (driver.Conn, error) { return n.meet(conn, n.age()) })
}

func (r *Router) isRead(query string) bool {
	kind, _ := r.kinds.Classify(query)
	return kind == sqlkind.Read
}

// isHarmless reports that a statement is known to change nothing on a server that would let it: no function of the
// user's is called by it, and no server has refused its like as a write.
func (r *Router) isHarmless(query string) bool {
	return r.isRead(query) && r.kinds.Harmless(query) && !r.refusals.has(query)
}

// unsure says of a write whose answer did not come that its outcome is unknown. It sees what every write fails with.
func (r *Router) unsure(err error) error {
	r.doubtRole(err)
	if !r.writer.Classify(err).LeavesOpen() {
		return err
	}
	return r.outcomeUnknown(err)
}

// doubtRole has the writer asked at once for its role if a refusal leaves open whether it still has it.
func (r *Router) doubtRole(err error) {
	if d, ok := r.writer.Driver().(binds.RoleDoubter); ok && r.monitor != nil && d.DoubtsRole(err) {
		r.monitor.want()
	}
}
