package router

import "database/sql/driver"

// What reaches a connection and was not noted by the router came past it: by the pool's own methods, in one of Bun's transactions, prepared. It is
// told here.

// observer returns who is told of a statement on c whose context has the scope s, nil if nobody is, or it is noted already.
func (c *watchedConn) observer(s *scope) *observing {
	if s.observed != nil || c.notice.router == nil {
		return nil
	}
	return c.notice.router.observer.Load()
}

// reason is why a statement that came past the router is here.
func (c *watchedConn) reason() Reason {
	if c.carried != nil {
		return Transaction
	}
	return Unrouted
}

// endsPast is ends for what database/sql sends again if err says that it was not sent: then it is not told.
func (o *observed) endsPast(err error) {
	if err != driver.ErrBadConn && err != driver.ErrSkip {
		o.ends(err)
	}
}

// observe notes the end of a transaction, nil if nobody is told. Its context is that of the beginning.
func (t *watchedTx) observe(query string) *observed {
	if t.began == nil || t.conn.notice.router == nil {
		return nil
	}
	by := t.conn.notice.router.observer.Load()
	if by == nil {
		return nil
	}
	o := by.begin(t.began, &emptyScope, query)
	o.ranOn(t.conn.notice.engine, t.conn.reason())
	return o
}
