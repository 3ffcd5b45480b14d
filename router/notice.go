package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/connwait"
)

// A notice is where the connections of a writer report writes: at the end of a statement outside a
// transaction, of its rows if it has any, and of a transaction. A write is reported before whoever
// made it can know that it ended, and however it ended: an error may hide a commit. One that seems
// to end twice, a broken connection's say, is reported twice: the later moment is the safer one.
//
// The functions must be safe for concurrent use.
type notice struct {
	engine    *binds.Engine           // whose connections they are; nil: errors do not name it
	held      *holding                // nil, or who counts the transactions on them
	router    *Router                 // whose connections they are; nil: contexts carry no transactions on them
	plainRead func(query string) bool // as isPlainRead; nil where there are only reads
	looksRead func(query string) bool // nil, or: the text is a read, though a function that it calls may write
	wrote     func(s *Session)        // a write of s, nil if it had no session, has ended this moment
	schema    func()                  // nil, or: a change of the schema has ended this moment

	saw    func(s *Session)                            // nil, or: a read of s has its first answer
	reveal func(ctx context.Context, s *Session) error // nil, or: waits until a read shows all that s has seen elsewhere
	unsure func(err error) error                       // nil, or what an error of a write is told as: its outcome may be unknown
	conns  *conns                                      // nil, or who keeps the list of connections
	reads  bool                                        // only plain reads come here: the server refuses what is none
	proven bool                                        // a connection that was retired runs no statement more, not even its first
}

// watch returns conn with its writes noticed. To database/sql it behaves as conn does, and it is a
// [binds.Interrupter] if conn is. It hides the driver's own type from sql.Conn.Raw: whoever needs
// that type uses a bind's Native pool and reports its writes by router.Wrote.
//
// Age is [notice.age] of before conn was opened.
func (n *notice) watch(conn driver.Conn, age uint64) driver.Conn {
	c := &watchedConn{notice: n, inner: conn}
	c.execer, _ = conn.(driver.ExecerContext)
	c.queryer, _ = conn.(driver.QueryerContext)
	c.checker, _ = conn.(driver.NamedValueChecker)
	c.resetter, _ = conn.(driver.SessionResetter)
	c.validator, _ = conn.(driver.Validator)
	c.discards = c.resetter == nil || c.validator == nil
	c.made = time.Now()
	if n.conns != nil {
		n.conns.opened(c, age)
	}
	c.self = c.offered()
	return c.self
}

// meet is watch for a connection of an engine that may be succeeded while it makes one: then it closes the connection, and the engine's successor makes
// another.
func (n *notice) meet(conn driver.Conn, age uint64) (driver.Conn, error) {
	watched := n.watch(conn, age)
	if n.conns != nil && n.conns.over.Load() {
		_ = watched.Close() // nothing ran on it
		return nil, binds.ErrRedial
	}
	return watched, nil
}

// isPlainRead reports that the text is known to change nothing.
func (n *notice) isPlainRead(query string) bool { return n.reads || n.plainRead(query) }

// age tells connections that are opened now from those of before the last time that all were retired.
func (n *notice) age() uint64 {
	if n.conns == nil {
		return 0
	}
	return n.conns.age.Load()
}

// retired reports that no more statements should run on c.
func (c *watchedConn) retired() bool { return c.notice.age() != c.age }

// refuses reports that a statement must not run on c: it is retired, and what it would show is not
// what was promised of it. Nothing is sent, and database/sql takes another connection.
func (c *watchedConn) refuses() bool { return c.notice.proven && c.open == 0 && c.retired() }

// preparing is what a watchedConn is beside the two doors that its driver may lack.
type preparing interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
	connwait.Conn
}

// offered returns c with the doors of its driver and no others. To answer driver.ErrSkip in place
// of a missing one is not the same: database/sql would by then have refused arguments that only
// the driver's statements accept.
func (c *watchedConn) offered() driver.Conn {
	i, stops := c.inner.(binds.Interrupter)
	switch exec, query := c.execer != nil, c.queryer != nil; {
	case exec && query && stops:
		return struct {
			*watchedConn
			binds.Interrupter
		}{c, i}
	case exec && query:
		return c
	case exec && stops:
		return struct {
			preparing
			driver.ExecerContext
			binds.Interrupter
		}{c, c, i}
	case exec:
		return struct {
			preparing
			driver.ExecerContext
		}{c, c}
	case query && stops:
		return struct {
			preparing
			driver.QueryerContext
			binds.Interrupter
		}{c, c, i}
	case query:
		return struct {
			preparing
			driver.QueryerContext
		}{c, c}
	case stops:
		return struct {
			preparing
			binds.Interrupter
		}{c, i}
	}
	return struct{ preparing }{c}
}

// A watchedConn is a driver's connection whose writes are noticed. As any driver's connection it is
// used by one goroutine at a time.
type watchedConn struct {
	notice *notice
	age    uint64    // of the list of connections when this one was opened
	live   *keptRows // the rows that the driver has open in a carried transaction
	watchedTxs

	inner    driver.Conn
	discards bool  // database/sql would discard inner after a cancelled transaction
	spoilt   bool  // and that has come to pass
	used     bool  // by a statement since it came from the pool, which has looked whether it is alive
	lost     error // how the session ended, as a statement in the open transaction was told
	holds    bool  // a transaction is open, and counted

	// inner, nil where it is no such thing
	queryer   driver.QueryerContext
	execer    driver.ExecerContext
	resetter  driver.SessionResetter
	validator driver.Validator
	checker   driver.NamedValueChecker

	queue   *connwait.Queue // of those who wait for a connection of the pool; nil: there is none
	self    driver.Conn     // as offered
	made    time.Time
	passing bool // all that is wrong with it is that somebody waits for it
	passed  bool // it was given to who waited: database/sql has counted its age from then on

	first *watchedRows // the open rows of writes
	names columnNames  // of such rows

	// The usual transaction, rows and statement, of which there is one at a time, cost nothing.
	tx   watchedTx
	rows watchedRows
	kept keptRows
	stmt watchedStmt
}

// enter notes a statement that is about to run, and tells whether to report its end.
func (c *watchedConn) enter(sc *scope, e effect) (*Session, bool) {
	if c.open == 0 {
		if e == changesNothing {
			return nil, false
		}
		return sc.session, true
	}
	c.saw(sc.session, e)
	return sc.session, e != changesNothing && c.loose
}

// leave reports a statement that has ended, if it is to be reported or broke the connection. It
// returns the error for the caller.
func (c *watchedConn) leave(s *Session, reports bool, err error) error {
	if reports || err != nil && c.wrote && errors.Is(err, driver.ErrBadConn) {
		c.report(s)
	}
	if err == nil {
		return nil
	}
	c.fails(err)
	if reports {
		err = c.told(err)
	}
	return c.explain(err)
}

// explain says of an error what it means for the open transaction, or for who keeps the connection.
func (c *watchedConn) explain(err error) error {
	var unsent *binds.NotSentError
	if c.open == 0 && !errors.As(err, &unsent) || c.notice.engine == nil {
		return err
	}
	switch fault := c.notice.engine.Classify(err); {
	case fault == binds.NotSent:
		var known *NotSentError
		if !errors.As(err, &known) {
			err = c.notSent(err)
		}
		if c.lost == nil && errors.Is(err, driver.ErrBadConn) {
			c.lost = err
		}
	case fault.LeavesOpen() && c.lost == nil:
		c.lost = err
	}
	return err
}

// told returns what a write's error is told as.
func (c *watchedConn) told(err error) error {
	if err == nil || c.notice.unsure == nil {
		return err
	}
	return c.notice.unsure(err)
}

// shows reports that a statement may show its session what others wrote: a read does, though a function that it calls may
// write. A statement that is no read has its session need what it wrote.
func (c *watchedConn) shows(sc *scope, e effect, query string) bool {
	return e == changesNothing || sc.session != nil && c.notice.looksRead != nil && c.notice.looksRead(query)
}

// sawRead notes a read that has its first answer.
func (c *watchedConn) sawRead(sc *scope) {
	if sc.session != nil && c.notice.saw != nil {
		c.notice.saw(sc.session)
	}
}

// report tells of a write of s and of whoever else has a part in an open transaction.
func (c *watchedConn) report(s *Session) {
	if c.schema && c.notice.schema != nil {
		c.notice.schema()
		c.schema = c.open > 0
	}
	if s != nil || len(c.sessions) == 0 {
		c.notice.wrote(s)
	}
	for _, seen := range c.sessions {
		if seen != s {
			c.notice.wrote(seen)
		}
	}
}

func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	sc := scopeOf(ctx)
	if by := c.observer(sc); by != nil {
		o := by.begin(ctx, sc, query)
		o.ranOn(c.notice.engine, c.reason())
		res, err := c.ExecContext(o, query, args)
		o.endsPast(err)
		return res, err
	}
	if sc.timing != nil {
		sc.timing.reach(c)
	}
	if c.open == 0 && c.live == nil && sc.tx == nil && !c.notice.proven && !c.used && changesRows(query) { // the usual write
		c.used = true
		res, err := c.execer.ExecContext(ctx, query, args)
		if err == nil {
			c.report(sc.session)
			return res, nil
		}
		if err == driver.ErrSkip {
			return res, err
		}
		return res, c.leave(sc.session, true, err)
	}
	if err := c.admit(sc, query); err != nil {
		return nil, err
	}
	e := c.effectOf(query)
	s, reports := c.enter(sc, e)
	if err := c.check(reports); err != nil {
		return nil, c.leave(s, false, err)
	}
	res, err := c.execer.ExecContext(ctx, query, args)
	if err == driver.ErrSkip { // which says that nothing ran yet
		return res, err
	}
	if e == changesNothing {
		c.sawRead(sc)
	}
	return res, c.leave(s, reports, err)
}

func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	sc := scopeOf(ctx)
	if by := c.observer(sc); by != nil {
		o := by.begin(ctx, sc, query)
		o.ranOn(c.notice.engine, c.reason())
		rows, err := c.QueryContext(o, query, args)
		o.endsPast(err)
		return rows, err
	}
	if sc.timing != nil {
		sc.timing.reach(c)
	}
	if c.notice.reads && c.open == 0 && c.live == nil && sc.tx == nil { // the usual read, of which there is hardly anything to note
		if c.retired() && c.notice.proven {
			return nil, driver.ErrBadConn
		}
		rows, err := c.queryer.QueryContext(ctx, query, args)
		if sc.session != nil && err != driver.ErrSkip {
			c.sawRead(sc)
		}
		return rows, err
	}
	if err := c.admit(sc, query); err != nil {
		return nil, err
	}
	if sc.session != nil && !changesRows(query) {
		if err := c.reveal(ctx, sc.session); err != nil {
			return nil, err
		}
	}
	e := c.effectOf(query)
	s, reports := c.enter(sc, e)
	if err := c.check(reports); err != nil {
		return nil, c.leave(s, false, err)
	}
	rows, err := c.queryer.QueryContext(ctx, query, args)
	if err == driver.ErrSkip {
		return rows, err
	}
	if c.shows(sc, e, query) {
		c.sawRead(sc)
	}
	return c.watchRows(rows, err, s, reports)
}

// reveal waits until the server shows all that the session has seen on others.
func (c *watchedConn) reveal(ctx context.Context, s *Session) error {
	if c.notice.reveal == nil {
		return nil
	}
	return c.notice.reveal(ctx, s)
}

// changesRows says that a statement begins as Bun writes those that change rows, whatever the dialect.
func changesRows(query string) bool {
	const verb = len("INSERT ")
	return len(query) > verb && (query[:verb] == "INSERT " || query[:verb] == "UPDATE " || query[:verb] == "DELETE ")
}

// effectOf reads the text no further than the moment asks for.
func (c *watchedConn) effectOf(query string) effect {
	if c.notice.isPlainRead(query) || c.readOnly && !c.loose && c.notice.looksRead != nil && c.notice.looksRead(query) {
		return changesNothing
	}
	if c.readOnly && !c.loose && c.notice.router != nil && c.notice.router.kinds.EndsWithTx(query) {
		return changesNothing
	}
	c.noteSchema(changesSchema(query))
	if c.open == 0 {
		return changesData
	}
	return effectInTx(query)
}

// noteSchema notes whether the statement that is about to run changes the schema.
func (c *watchedConn) noteSchema(changes bool) { c.schema = changes || c.open > 0 && c.schema }

func (c *watchedConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *watchedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.admit(scopeOf(ctx), query); err != nil {
		return nil, err
	}
	stmt, err := c.prepare(ctx, query)
	if err != nil {
		return nil, c.leave(nil, false, err)
	}
	return c.watchStmt(stmt, query), nil
}

// prepare does what database/sql does for a driver that knows no contexts.
func (c *watchedConn) prepare(ctx context.Context, query string) (driver.Stmt, error) {
	if p, ok := c.inner.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	stmt, err := c.inner.Prepare(query)
	if err == nil && ctx.Err() != nil {
		_ = stmt.Close() // the context's error is the one to tell
		return nil, ctx.Err()
	}
	return stmt, err
}

// WaitedFor names those who wait for a connection of its pool.
func (c *watchedConn) WaitedFor(q *connwait.Queue) { c.queue = q }

// Close gives the connection to who waits for it, or closes it.
func (c *watchedConn) Close() error {
	if c.passing {
		c.passing, c.passed = false, true
		if c.queue.Pass(c.self) {
			return nil
		}
	}
	if c.queue != nil {
		defer c.queue.Leave()
	}
	return c.Discard()
}

// Discard reports what was open: nobody will learn how it ended.
func (c *watchedConn) Discard() error {
	err := c.inner.Close()
	c.hold(false)
	if c.notice.conns != nil {
		c.notice.conns.closed(c)
	}
	for r := c.first; r != nil; r = r.next {
		r.tell()
	}
	c.doubt()
	return err
}

// doubt reports an open transaction whose fate has become unknown.
func (c *watchedConn) doubt() {
	if c.wrote {
		c.report(nil)
	}
	c.loose = true
}

func (c *watchedConn) Ping(ctx context.Context) error {
	p, ok := c.inner.(driver.Pinger)
	if !ok {
		return nil
	}
	if err := c.makeWay(""); err != nil {
		return err
	}
	return c.leave(nil, false, p.Ping(ctx))
}

// ResetSession is called between two users of the connection: a transaction that is still open is
// nobody's any more.
func (c *watchedConn) ResetSession(ctx context.Context) error {
	var err error
	if c.resetter != nil {
		err = c.resetter.ResetSession(ctx)
	}
	c.doubt()
	c.used = false
	if c.retired() || c.worn() {
		return driver.ErrBadConn
	}
	return err
}

// worn reports that c has been open for as long as a connection may be, where database/sql does not know that.
func (c *watchedConn) worn() bool { return c.passed && !c.queue.Young(c.made) }

func (c *watchedConn) IsValid() bool {
	valid := !c.spoilt && !c.retired() && !c.worn() && (c.validator == nil || c.validator.IsValid())
	if valid && c.queue != nil && c.queue.Wants() {
		c.passing, valid = c.queue.Young(c.made), false
	}
	if !valid {
		c.doubt()
	}
	return valid
}

func (c *watchedConn) CheckNamedValue(v *driver.NamedValue) error {
	return checkArgument(c.checker, false, v)
}
