package router

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/connectby"
	"github.com/bindery-go/bindery/internal/ctxend"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// maxLogged is how much of a statement a log line shows, in bytes.
const maxLogged = 120

// retry is what follows when a statement failed: it runs again where that is safe, and what is
// known of it is said where it is not. It is off the hot path and may allocate.
func retry[T any](ctx context.Context, c *Conn, s *scope, to route, query string, err error, run func(context.Context, *sql.DB) (T, error), drop func(T)) (T, error) {
	if c.router.suspended.Load() {
		if next, why := c.reopened(ctx, err); next == nil {
			err = why
		} else {
			return again(ctx, next, s, query, run, drop)
		}
	}
	f := failures{c: c, s: s, query: query, began: time.Now()}
	running := ctx
	if _, bounded := ctx.Deadline(); !bounded {
		var connect *binds.ConnectError
		if to.reader == nil && errors.As(err, &connect) {
			f.began = f.began.Add(-connect.Took)
		}
		running = connectby.With(ctx, f.began.Add(patience))
	}
	var none T
	for {
		next, final := f.after(ctx, to, err)
		if s.observed != nil {
			s.observed.ranOn(c.engine(&to), to.reason)
		}
		if next == nil {
			if s.route != nil {
				c.note(s, &to, query)
			}
			return none, c.router.named(c.engine(&to), c.router.orRemoved(final))
		}
		if s.observed != nil {
			s.observed.retried(c.engine(&to), err)
		}
		if to = *next; !f.plainly {
			c.router.beware(&to, query)
		}
		var res T
		res, err = run(running, c.begin(&to))
		switch {
		case err == nil && to.outlived():
			drop(res)
			err = errMoved
		case err == nil:
			c.end(s, &to, query)
			return res, nil
		}
	}
}

// again runs a statement by c from the beginning.
func again[T any](ctx context.Context, c *Conn, s *scope, query string, run func(context.Context, *sql.DB) (T, error), drop func(T)) (T, error) {
	var to route
	var none T
	if err := c.route(ctx, s, query, &to); err != nil {
		return none, err
	}
	res, err := run(ctx, c.begin(&to))
	if err == nil && to.outlived() {
		err = errMoved
		drop(res)
	}
	if err != nil {
		return retry(ctx, c, s, to, query, err, run, drop)
	}
	c.end(s, &to, query)
	return res, nil
}

const (
	// firstWait, maxWait and patience bound the waits of a statement for a writer that cannot be
	// reached: each wait is twice the one before, at most maxWait, half of it at random; a caller
	// without a deadline waits for patience in all, attempts to connect included.
	firstWait = 10 * time.Millisecond
	maxWait   = 250 * time.Millisecond
	patience  = connectby.Unasked // and no longer to make its first connection
)

// failures is the course of one statement that failed.
type failures struct {
	c         *Conn
	s         *scope
	query     string
	tried     []*Reader
	had       []*Reader // those that had the read and broke under it, maybe by its fault: they do not get it again
	writerHad bool      // likewise
	twice     bool      // the writer got it a second time, since it was not to blame
	conflicts int
	waited    bool          // for a connection of a reader, for as long as its pool allows
	refused   bool          // a reader refused it as a write
	undefined bool          // a reader knew no such table or column
	readOnly  bool          // the writer's server refused it as a write
	replica   bool          // the writer's server said that it is a replica
	before    error         // the latest that said more than that time was over
	plainly   bool          // no connection could be had that may not write
	wait      time.Duration // the latest wait for the writer
	began     time.Time
}

// after says what follows the failure of a statement on to: another route, or the error for the
// caller.
func (f *failures) after(ctx context.Context, to route, err error) (*route, error) {
	if to.reader != nil {
		return f.afterReader(ctx, to, err)
	}
	return f.afterWriter(ctx, to, err)
}

func (f *failures) afterReader(ctx context.Context, to route, err error) (*route, error) {
	fault := to.reader.engine.Classify(err)
	if ended := ctxend.Err(ctx); ended != nil {
		to.reader.end(to.start)
		if err == ended {
			return nil, notSent(ctx, to.reader.engine, to.reader.db, to.reader.held, ended)
		}
		return nil, endedBy(ended, err)
	}
	// What the server says, an error too, is not of the state that was asked for. The monitor finds out what is there now.
	if to.outlived() || errors.Is(err, errMoved) {
		to.reader.end(to.start)
		return f.again(ctx, to, errMoved)
	}
	var wait *binds.PoolWaitError
	if errors.As(err, &wait) { // its pool's fault, not the server's
		to.reader.end(to.start)
		if f.waited {
			return nil, notSent(ctx, to.reader.engine, to.reader.db, to.reader.held, wait)
		}
		f.waited = true
		return f.again(ctx, to, err)
	}
	switch fault {
	case binds.NotSent, binds.Busy:
		to.reader.failed()
		f.lost(to.reader, err)
	case binds.Unknown: // a read that may have run has harmed nothing
		f.had = append(f.had, to.reader)
		if f.c.router.alone(ctx, to.reader.engine) {
			to.reader.end(to.start)
			break
		}
		to.reader.failed()
		f.lost(to.reader, err)
	case binds.RecoveryConflict:
		to.reader.end(to.start)
		f.had = append(f.had, to.reader)
		f.conflicts++
	case binds.ReadOnly:
		to.reader.end(to.start)
		return f.refusedByReader(to.reader.Name(), err)
	case binds.Refused:
		to.reader.end(to.start)
		return f.undefinedOnReader(ctx, to, err)
	default:
		to.reader.end(to.start)
		return nil, err
	}
	return f.again(ctx, to, err)
}

// again sends a read elsewhere that could not be served on to.
func (f *failures) again(ctx context.Context, to route, err error) (*route, error) {
	f.c.router.stats.retried.Add(1)
	f.tried = append(f.tried, to.reader)
	return f.elsewhere(ctx, err)
}

// lost takes a reader out whose server is gone.
func (f *failures) lost(reader *Reader, err error) {
	r := f.c.router
	if r.monitor != nil {
		r.monitor.eject(reader, err)
		return
	}
	r.logger.Warn("reader cannot be reached", "engine", reader.Name(), "error", err)
}

// elsewhere finds where a read goes that one reader or more have failed: another reader that may
// serve it, or the writer.
func (f *failures) elsewhere(ctx context.Context, err error) (*route, error) {
	c, r, to := f.c, f.c.router, new(route)
	v := r.view.Load()
	if len(v.fit) == 0 { // the read took so long that the bind went to rest meanwhile
		v = r.rouse(ctx, v, false)
	}
	if f.conflicts < 2 && f.toReader(without(v, f.tried), to) {
		return to, nil
	}
	if f.writerHad {
		return f.awaitOther(ctx, err)
	}
	if err := c.fallback(ctx, f.s, ReadersDown, err, to); err != nil {
		return nil, err
	}
	return to, nil
}

// toReader sends the read to one of the readers that are left, and reports false if none may serve it.
func (f *failures) toReader(left *view, to *route) bool {
	c, r := f.c, f.c.router
	switch {
	case len(left.up) == 0:
		return false
	case c.mode == readerOnly || f.s.hint == onReader:
		c.toReader(f.s, left, r.pick(left.up), HintReader, to)
		return true
	}
	need, sb := r.need(f.s)
	// Who would have to wait at the primary tries the writer first, and all readers then: one that has just failed may be back.
	return r.freshReader(left, need, sb, to) && !to.mayBeBehind(left)
}

// without returns the view without some readers.
func without(v *view, tried []*Reader) *view {
	w := &view{leases: v.leases, primary: v.primary}
	for i, r := range v.fit {
		if !slices.Contains(tried, r) {
			w.fit, w.horizons = append(w.fit, r), append(w.horizons, v.horizons[i])
		}
	}
	w.order(w.fit)
	for _, r := range v.up {
		if !slices.Contains(tried, r) {
			w.up = append(w.up, r)
		}
	}
	return w
}

// undefinedOnReader asks the writer, once, what a reader has refused because it knows no such table, column or function:
// it may trail the one that made them, another process's migration say.
func (f *failures) undefinedOnReader(ctx context.Context, to route, err error) (*route, error) {
	r, next := f.c.router, new(route)
	if f.undefined || r.shared || r.strict || f.c.mode == readerOnly || !to.reader.engine.IsUndefined(err) {
		return nil, err
	}
	f.undefined = true
	r.stats.retried.Add(1)
	if r.monitor != nil {
		r.monitor.want()
	}
	if err := f.c.fallback(ctx, f.s, ReadersBehind, err, next); err != nil {
		return nil, err
	}
	return next, nil
}

// refusedByReader runs a statement on the writer, once, that was taken for a read and that a reader
// refused as a write. The server has undone it: Bun's statements are transactions of their own.
func (f *failures) refusedByReader(by string, err error) (*route, error) {
	r := f.c.router
	if f.refused || f.c.mode == readerOnly {
		return nil, err
	}
	f.refused = true
	r.refusals.add(f.query)
	r.stats.refused.Add(1)
	r.logger.Warn("a reader refused a statement as a write: it runs on the writer; name the function that writes in writer_functions, "+
		"read an unlogged table with router.OnWriter",
		"engine", by, "statement", sqlkind.Outline(r.dialect.Name(), f.query, maxLogged))
	return &route{kind: sqlkind.Write, reason: ReaderRefused}, nil
}

func (f *failures) afterWriter(ctx context.Context, to route, err error) (*route, error) {
	r := f.c.router
	fault, ended := r.writer.Classify(err), ctxend.Err(ctx)
	var wait *binds.PoolWaitError
	if errors.As(err, &wait) {
		if to.cautious {
			f.plainly, to.cautious = true, false
			return &to, nil
		}
		return nil, notSent(ctx, r.writer, r.writerDB, r.held, wait)
	}
	var behind *WriterBehindError
	if ended == nil && errors.As(err, &behind) {
		switch {
		case behind.late():
			return nil, err
		case fault.LeavesOpen(), fault == binds.Retryable:
			fault = binds.NotSent // it broke under the question that comes before the statement
		}
	}
	// What a read may have written is told by the connection, but for Native's, which nobody watches. Who is refused as a
	// write is one.
	writes := to.kind == sqlkind.Write || f.c.pool != nil && !r.isHarmless(f.query)
	refused := fault == binds.ReadOnly && !to.cautious && f.query != beginStatement
	unreachable := refused || fault == binds.NotSent || fault == binds.Busy ||
		fault == binds.Unknown && f.query == beginStatement
	f.replica = f.replica || errors.Is(err, ErrWriterIsReplica)
	unavailable := func() error {
		cause := err
		if f.before != nil && timedOut(err) { // the last attempt was cut short, and tells nothing
			cause = fmt.Errorf("%w; at last: %w", f.before, err)
		}
		return &UnavailableError{Engine: r.writer.Name(), ReadOnly: f.readOnly || refused || f.replica, Err: cause}
	}
	switch {
	case errors.Is(err, ErrOutcomeUnknown): // a read, too, that may have written
		return nil, endedBy(ended, err)
	case ended != nil && f.c.pool == nil && neverSent(err, ended):
		if ended == context.DeadlineExceeded && (f.before != nil || r.monitor.knowsWriterDown()) {
			return nil, unavailable()
		}
		return nil, notSent(ctx, r.writer, r.writerDB, r.held, ended)
	case to.cautious && ended == nil && fault == binds.ReadOnly:
		return f.refusedByReader(r.cautious.engine.Load().Name(), err)
	case to.cautious && ended == nil && (fault == binds.NotSent || fault == binds.Busy):
		f.plainly, to.cautious = true, false
		return &to, nil
	case ended != nil && unreachable && (ended == context.DeadlineExceeded || !errors.Is(err, ended) && !timedOut(err)):
		err = endedBy(ended, err)
		return nil, unavailable()
	case ended != nil:
		return nil, r.outcome(writes, fault, endedBy(ended, err))
	case refused:
		again := f.readOnly
		f.readOnly = true
		if r.demoted(); !r.mayBePromoted(ctx, again) {
			return nil, unavailable()
		}
	case fault.LeavesOpen() && writes:
		return nil, r.outcome(writes, fault, err)
	case fault == binds.Unknown && !unreachable && !f.twice && !r.alone(ctx, r.writer):
		f.twice = true // it was hardly to blame; but if it was, it is not to do so for ever
	case fault == binds.Unknown && !unreachable:
		f.writerHad = true
		if !to.forWantOfReader() {
			return nil, &ReadBrokenError{Engine: r.writer.Name(), Err: err}
		}
		return f.awaitOther(ctx, err)
	case !unreachable:
		return nil, err
	}
	if !f.waitForWriter(ctx) {
		return nil, unavailable()
	}
	if !timedOut(err) {
		f.before = err
	}
	r.stats.retried.Add(1)
	if to.forWantOfReader() {
		return f.reroute(ctx)
	}
	return &to, nil
}

// forWantOfReader says of a read on the writer that a reader may serve it, once one is fit.
func (to *route) forWantOfReader() bool {
	return to.reason == ReadersBehind || to.reason == ReadersDown
}

// reroute finds where a read goes that the writer was to serve: a reader may be fit by now.
func (f *failures) reroute(ctx context.Context) (*route, error) {
	next := new(route)
	if err := f.c.routeRead(ctx, f.s, next); err != nil {
		return nil, err
	}
	if !slices.Contains(f.had, next.reader) {
		return next, nil
	}
	*next = route{}
	if f.toReader(without(f.c.router.view.Load(), f.had), next) {
		return next, nil
	}
	if err := f.c.fallback(ctx, f.s, ReadersBehind, nil, next); err != nil {
		return nil, err
	}
	return next, nil
}

// awaitOther waits for a reader that has not had a read which the writer has had: it broke the connection there. Nobody
// gets it twice, for that may be its own doing: its size, or a crash.
func (f *failures) awaitOther(ctx context.Context, err error) (*route, error) {
	r := f.c.router
	for not := f.tried; len(f.had) < len(r.Readers()); not = f.had { // after a wait one that was away may be back
		to := new(route)
		if f.toReader(without(r.view.Load(), not), to) {
			r.stats.retried.Add(1)
			return to, nil
		}
		if r.monitor != nil {
			r.monitor.want()
		}
		if !f.waitForWriter(ctx) {
			break
		}
	}
	return nil, &ReadBrokenError{Engine: r.writer.Name(), Err: err}
}

// waitForWriter waits before a statement is sent again that was certainly not carried out, or a read. It
// reports false when the caller's time would not suffice.
func (f *failures) waitForWriter(ctx context.Context) bool {
	f.wait = min(max(2*f.wait, firstWait), maxWait)
	d := f.wait/2 + rand.N(f.wait/2)
	if deadline, ok := ctx.Deadline(); ok {
		if time.Until(deadline) <= d {
			return false
		}
	} else if time.Since(f.began)+d > patience {
		return false
	}
	return pause(ctx, d)
}

// endedBy returns an error that says of err, which came as a context ended, that this was the reason; nil says that none has.
func endedBy(ended, err error) error {
	if ended == nil || errors.Is(err, ended) || !timedOut(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ended, err)
}

// timedOut reports whether a network connection's deadline has passed: it is that of a context as a rule, and may be noticed
// before that ends.
func timedOut(err error) bool {
	var slow interface{ Timeout() bool }
	return errors.As(err, &slow) && slow.Timeout()
}

// outcome says of a write whose answer did not come that it may have been carried out.
func (r *Router) outcome(writes bool, fault binds.Fault, err error) error {
	var known *OutcomeUnknownError
	if !writes || !fault.LeavesOpen() || errors.As(err, &known) {
		return err
	}
	return r.outcomeUnknown(err)
}

// outcomeUnknown counts and reports a write that was or may have been sent and whose answer did not come.
func (r *Router) outcomeUnknown(err error) error {
	r.stats.unknown.Add(1)
	return &OutcomeUnknownError{Engine: r.writer.Name(), Err: err}
}
