package router

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// Conn runs the statements of one bind, each on the engine where it belongs. It is Bun's IConn,
// made once for each bind, and safe for concurrent use.
type Conn struct {
	router *Router
	mode   mode
	writes bool    // the builder writes: the text need not be read
	pool   *sql.DB // for mode fixed
	why    Reason  // for mode fixed
	only   *view   // for mode readerOnly, in place of the router's own; nil: the router's
	dry    bool    // nothing will be sent: nothing is counted, see Decide
}

var _ bun.IConn = (*Conn)(nil)

// route is where a statement goes.
type route struct {
	reader *Reader // nil: the writer
	kind   sqlkind.Kind
	reason Reason
	lease  *lease       // of a reader that was chosen for its freshness, or where a session counts
	sb     *sessionBind // nil where no session counts
	late   bool         // no reader, though one shows all that the session needs but for what it has seen
	// cautious says that the writer's server is to refuse it if it writes.
	cautious bool
	start    time.Duration
}

// QueryContext runs a statement that returns rows.
func (c *Conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s := scopeOf(ctx)
	if by := c.router.observer.Load(); by != nil && s.observed == nil {
		o := by.begin(ctx, s, query)
		rows, err := c.QueryContext(o, query, args...)
		o.ends(err)
		return rows, err
	}
	if s == &emptyScope || s.observed != nil && s.observed.plain {
		if reader, l := c.usual(query); reader != nil {
			if s.observed != nil {
				s.observed.ranOn(reader.engine, PlainRead)
			}
			start := reader.begin()
			rows, err := reader.db.QueryContext(ctx, query, args...)
			if err == nil && reader.lease.Load() == l {
				reader.end(start)
				c.router.count(PlainRead)
				return rows, nil
			}
			return c.readElsewhere(ctx, s, route{reader: reader, lease: l, start: start}, rows, err, query, args)
		}
	}
	if s.tx != nil {
		if l, err := c.txOf(s, query); l != nil || err != nil {
			return c.queryInTx(ctx, s, l, err, query, args)
		}
	}
	var to route
	if err := c.route(ctx, s, query, &to); err != nil {
		return nil, err
	}
	rows, err := c.begin(&to).QueryContext(ctx, query, args...)
	if err == nil && to.outlived() {
		err = errMoved
		closeRows(rows)
	}
	if err != nil {
		return retry(ctx, c, s, to, query, err, func(ctx context.Context, db *sql.DB) (*sql.Rows, error) {
			return db.QueryContext(ctx, query, args...)
		}, closeRows)
	}
	c.end(s, &to, query)
	return rows, nil
}

// usual finds the reader for a plain read whose context says nothing, as most reads are, by what
// routeRead does for such a one. Nil leaves it to that.
func (c *Conn) usual(query string) (*Reader, *lease) {
	r := c.router
	if c.mode != anywhere || c.writes || !r.reads.Load() {
		return nil, nil
	}
	v, need := r.view.Load(), r.needAlone()
	if len(v.ordered) == 0 || v.least <= need || r.kinds.Of(query) != sqlkind.Read || r.refusals.has(query) {
		return nil, nil
	}
	reader := r.pick(v.ordered)
	return reader, v.leaseOf(reader)
}

// readElsewhere repeats a plain read that failed on a reader, or whose rows are not of the state that was
// asked for.
func (c *Conn) readElsewhere(ctx context.Context, s *scope, to route, rows *sql.Rows, err error, query string, args []any) (*sql.Rows, error) {
	if err == nil {
		err = errMoved
		closeRows(rows)
	}
	to.kind, to.reason = sqlkind.Read, PlainRead
	return retry(ctx, c, s, to, query, err, func(ctx context.Context, db *sql.DB) (*sql.Rows, error) {
		return db.QueryContext(ctx, query, args...)
	}, closeRows)
}

// ExecContext runs a statement that returns no rows.
func (c *Conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s := scopeOf(ctx)
	if by := c.router.observer.Load(); by != nil && s.observed == nil {
		o := by.begin(ctx, s, query)
		res, err := c.ExecContext(o, query, args...)
		o.ends(err)
		return res, err
	}
	if s.tx != nil {
		if l, err := c.txOf(s, query); l != nil || err != nil {
			return c.execInTx(ctx, s, l, err, query, args)
		}
	}
	var to route
	if err := c.route(ctx, s, query, &to); err != nil {
		return nil, err
	}
	res, err := c.begin(&to).ExecContext(ctx, query, args...)
	if err != nil {
		return retry(ctx, c, s, to, query, err, func(ctx context.Context, db *sql.DB) (sql.Result, error) {
			return db.ExecContext(ctx, query, args...)
		}, func(sql.Result) {})
	}
	c.end(s, &to, query)
	return res, nil
}

// QueryRowContext runs a statement that returns at most one row.
func (c *Conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s := scopeOf(ctx)
	if by := c.router.observer.Load(); by != nil && s.observed == nil {
		o := by.begin(ctx, s, query)
		row := c.QueryRowContext(o, query, args...)
		o.ends(row.Err())
		return row
	}
	if s.tx != nil {
		if l, err := c.txOf(s, query); l != nil || err != nil {
			return c.queryRowInTx(ctx, s, l, err, query, args)
		}
	}
	var to route
	if err := c.route(ctx, s, query, &to); err != nil {
		return failedRow(ctx, err)
	}
	row := c.begin(&to).QueryRowContext(ctx, query, args...)
	err := row.Err()
	if err == nil && to.outlived() {
		err = errMoved
		closeRow(row)
	}
	if err != nil {
		row, err = retry(ctx, c, s, to, query, err, func(ctx context.Context, db *sql.DB) (*sql.Row, error) {
			row := db.QueryRowContext(ctx, query, args...)
			return row, row.Err()
		}, closeRow)
		if err != nil {
			return failedRow(ctx, err)
		}
		return row
	}
	c.end(s, &to, query)
	return row
}

// outlived reports that what was known of a reader when the read was sent there has become void
// since: the connection that the read has got may lead to another server, or an older state.
func (to *route) outlived() bool {
	return to.reason == PlainRead && to.lease != nil && to.reader.lease.Load() != to.lease
}

func closeRows(rows *sql.Rows) { _ = rows.Close() } // they are not what was asked for

func closeRow(row *sql.Row) { _ = row.Scan() } // which closes it, whatever else it says

// route decides where a statement runs, and says so in to, which is empty.
func (c *Conn) route(ctx context.Context, s *scope, query string, to *route) error {
	if c.writes && c.mode == anywhere {
		to.reason = WriteQuery
		return nil
	}
	var local bool
	to.kind, local = c.kind(query)
	switch {
	case c.mode == fixed:
		to.reason = c.why
		return c.awaitNative(ctx)
	case c.mode == writerOnly:
		c.toWriter(s, WriterDB, to)
	case c.mode == readerOnly && to.kind == sqlkind.Write:
		return &WriteOnReaderError{Bind: c.router.key}
	case to.kind == sqlkind.Write:
		if to.reason = WriteText; c.router.refusals.has(query) {
			to.reason = ReaderRefused
		}
	case s.hint == onWriter && c.mode != readerOnly:
		c.toWriter(s, HintWriter, to)
	case local && s.hint != onReader && c.mode != readerOnly:
		c.toWriter(s, LocalState, to)
	default:
		err := c.routeRead(ctx, s, to)
		if to.forWantOfReader() && !c.dry {
			c.router.beware(to, query)
		}
		return err
	}
	return nil
}

// routeRead finds the engine for a plain read.
func (c *Conn) routeRead(ctx context.Context, s *scope, to *route) error {
	r := c.router
	if c.only != nil {
		c.toReader(s, c.only, c.only.up[0], ReaderDB, to)
		return nil
	}
	if len(r.readers) == 0 {
		return c.fallback(ctx, s, NoReader, nil, to)
	}
	if r.monitor != nil {
		r.monitor.noteRead()
	}
	v := r.view.Load()
	if c.mode == readerOnly || s.hint == onReader {
		if len(v.up) == 0 {
			v = r.rouse(ctx, v, c.mode == readerOnly)
		}
		if len(v.up) == 0 {
			return c.fallback(ctx, s, ReadersDown, nil, to)
		}
		reason := HintReader
		if c.mode == readerOnly {
			reason = ReaderDB
		}
		c.toReader(s, v, r.pick(v.up), reason, to)
		return nil
	}
	if v.resting && len(v.fit) == 0 {
		v = r.rouse(ctx, v, false) // before it is asked what a session needs: a token is compared with what is known
	}
	need, sb := r.need(s)
	if r.freshReader(v, need, sb, to) {
		return c.revealed(ctx, s, v, to)
	}
	if v.resting {
		if v = r.rouse(ctx, v, false); r.freshReader(v, need, sb, to) {
			return c.revealed(ctx, s, v, to)
		}
	}
	if len(v.up) == 0 {
		return c.fallback(ctx, s, ReadersDown, nil, to)
	}
	r.monitor.want()
	if wait := v.worthWaiting(r, to); wait > 0 {
		if v = r.awaitReader(ctx, wait, need, sb, to); v != nil {
			return c.revealed(ctx, s, v, to)
		}
	}
	return c.fallback(ctx, s, ReadersBehind, nil, to)
}

// revealed lets a session's read that goes to the primary's own server, as a reader, wait until that shows all that the session has
// seen. If it cannot be asked, the read goes to the writer.
func (c *Conn) revealed(ctx context.Context, s *scope, v *view, to *route) error {
	if !to.mayBeBehind(v) {
		return nil
	}
	err := to.sb.revealAt(ctx, to.reader)
	if err == nil {
		return nil
	}
	var behind *WriterBehindError
	if errors.As(err, &behind) && behind.late() {
		return err
	}
	c.router.monitor.want()
	return c.fallback(ctx, s, ReadersBehind, err, to)
}

// toReader sends a read to a reader that need not be fresh. What a session sees there counts all
// the same.
func (c *Conn) toReader(s *scope, v *view, reader *Reader, reason Reason, to *route) {
	*to = route{reader: reader, kind: sqlkind.Read, reason: reason}
	if s.session != nil {
		to.sb, to.lease = s.session.on(c.router), v.promised(reader)
		to.sb.leaves(to.lease)
	}
}

// toWriter sends a statement of to's kind to the writer.
func (c *Conn) toWriter(s *scope, reason Reason, to *route) {
	*to = route{kind: to.kind, reason: reason}
	if s.session != nil && to.kind == sqlkind.Read {
		to.sb, to.lease = s.session.on(c.router), &c.router.writerLease
		to.sb.at.Store(to.lease)
	}
}

// fallback sends a read to the writer, because of reason, unless only readers may serve it.
func (c *Conn) fallback(ctx context.Context, s *scope, reason Reason, err error, to *route) error {
	if next := c.successor(ctx); next != nil {
		if c.dry {
			next = &Conn{router: next.router, mode: next.mode, dry: true}
		}
		return next.routeRead(ctx, s, to)
	}
	if c.mode == readerOnly || c.router.strict {
		if err == nil && reason == ReadersDown && c.router.monitor != nil {
			err = c.router.monitor.whyDown()
		}
		return &NoReaderError{Bind: c.router.key, Stale: reason == ReadersBehind, Err: err}
	}
	if reason != NoReader && !c.dry { // a bind without readers lacks nothing
		if b := c.router.budget; b != nil {
			if err := b.take(ctx); err != nil {
				c.router.stats.overLimit.Add(1)
				return &NoReaderError{Bind: c.router.key, Stale: reason == ReadersBehind, Err: err}
			}
		}
		c.router.stats.toWriter.Add(1)
	}
	to.kind = sqlkind.Read
	c.toWriter(s, reason, to)
	return nil
}

// begin returns the pool of the route's engine and begins to measure a reader.
func (c *Conn) begin(to *route) *sql.DB {
	switch {
	case to.reader != nil:
		to.start = to.reader.begin()
		return to.reader.db
	case c.pool != nil:
		return c.pool
	}
	return c.router.onWriter(to)
}

// end notes that a statement's first answer came.
func (c *Conn) end(s *scope, to *route, query string) {
	if to.reader != nil {
		to.reader.end(to.start)
	}
	if to.sb != nil {
		to.sb.saw(to.lease, c.router.moment())
	}
	if to.reason != Transaction { // which is BEGIN's: what is in a transaction comes by leaveTx
		c.router.count(to.reason)
	}
	if s.timing != nil {
		s.timing.because(to.reason)
	}
	if s.observed != nil {
		s.observed.ranOn(c.engine(to), to.reason)
	}
	if s.route != nil {
		c.note(s, to, query)
	}
}

// note tells the context's Route, which there is.
func (c *Conn) note(s *scope, to *route, query string) {
	d := c.decision(to)
	d.Outside = s.tx.firstOpen() != nil
	s.route.note(d, c.router.dialect.Name(), query)
}

// decision is what a route says.
func (c *Conn) decision(to *route) Decision {
	d := Decision{Bind: c.router.key, Engine: c.router.writer.Name(), Kind: to.kind, Reason: to.reason}
	if to.reader != nil {
		d.Engine, d.Role = to.reader.Name(), binds.Reader
	}
	return d
}
