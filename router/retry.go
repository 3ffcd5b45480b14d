package router

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// retry is what follows when a statement failed: it runs again where that is safe, and what is
// known of it is said where it is not. It is off the hot path and may allocate.
func retry[T any](ctx context.Context, c *Conn, s *scope, to route, query string, err error, run func(*sql.DB) (T, error), drop func(T)) (T, error) {
	f := failures{c: c, s: s, query: query}
	var none T
	for {
		next, final := f.after(ctx, to, err)
		if next == nil {
			if s.route != nil {
				c.note(s, &to, query)
			}
			return none, final
		}
		to = *next
		var res T
		res, err = run(c.begin(&to))
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

const (
	// firstWait, maxWait and patience bound the waits of a statement for a writer that cannot be
	// reached: each wait is twice the one before, at most maxWait, half of it at random; a caller
	// without a deadline waits for patience in all.
	firstWait = 10 * time.Millisecond
	maxWait   = 250 * time.Millisecond
	patience  = 3 * time.Second
)

// failures is the course of one statement that failed.
type failures struct {
	c         *Conn
	s         *scope
	query     string
	tried     []*Reader
	conflicts int
	refused   bool          // a reader refused it as a write
	undefined bool          // a reader knew no such table or column
	readOnly  bool          // the writer's server refused it as a write
	wait      time.Duration // the latest wait for the writer
	waited    time.Duration // all of them
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
	if ctx.Err() != nil {
		to.reader.end(to.start)
		return nil, err
	}
	if to.outlived() { // what the server says, an error too, is not of the state that was asked for
		to.reader.end(to.start)
		return f.again(ctx, to, errMoved)
	}
	switch fault {
	case binds.NotSent, binds.Unknown, binds.Busy: // a read that may have run has harmed nothing
		to.reader.failed()
		f.lost(to.reader, err)
	case binds.RecoveryConflict:
		to.reader.end(to.start)
		f.conflicts++
	case binds.ReadOnly:
		to.reader.end(to.start)
		return f.refusedByReader(to, err)
	case binds.Refused:
		to.reader.end(to.start)
		return f.undefinedOnReader(to, err)
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
	switch {
	case errors.Is(err, errMoved): // the monitor knows, and finds out what is there now
	case r.monitor != nil:
		r.monitor.eject(reader, err)
	default:
		r.logger.Warn("reader cannot be reached", "engine", reader.Name(), "error", err)
	}
}

// elsewhere finds where a read goes that one reader or more have failed: another reader that may
// serve it, or the writer.
func (f *failures) elsewhere(ctx context.Context, err error) (*route, error) {
	c, r, to := f.c, f.c.router, new(route)
	v := r.view.Load()
	if len(v.fit) == 0 { // the read took so long that the bind went to rest meanwhile
		v = r.rouse(ctx, v, false)
	}
	left := without(v, f.tried)
	if f.conflicts < 2 && len(left.up) > 0 {
		if c.mode == readerOnly || f.s.hint == onReader {
			c.toReader(f.s, left, r.pick(left.up), HintReader, to)
			return to, nil
		}
		need, sb := r.need(f.s)
		if r.freshReader(left, need, sb, to) {
			return to, nil
		}
	}
	if err := c.fallback(f.s, ReadersDown, err, to); err != nil {
		return nil, err
	}
	return to, nil
}

// without returns the view without some readers.
func without(v *view, tried []*Reader) *view {
	w := &view{leases: v.leases}
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
func (f *failures) undefinedOnReader(to route, err error) (*route, error) {
	r, next := f.c.router, new(route)
	if f.undefined || r.shared || r.strict || f.c.mode == readerOnly || !to.reader.engine.IsUndefined(err) {
		return nil, err
	}
	f.undefined = true
	r.stats.retried.Add(1)
	if r.monitor != nil {
		r.monitor.want()
	}
	if err := f.c.fallback(f.s, Stale, err, next); err != nil {
		return nil, err
	}
	return next, nil
}

// refusedByReader runs a statement on the writer, once, that was taken for a read and that a reader
// refused as a write. The server has undone it: Bun's statements are transactions of their own.
func (f *failures) refusedByReader(to route, err error) (*route, error) {
	r := f.c.router
	if f.refused || f.c.mode == readerOnly {
		return nil, err
	}
	f.refused = true
	r.stats.refused.Add(1)
	r.logger.Warn("a reader refused a statement as a write: it runs on the writer; name the function that writes in writer_functions, "+
		"read an unlogged table with router.OnWriter",
		"engine", to.reader.Name(), "statement", shape(f.query, r.literalQuotes()))
	return &route{kind: sqlkind.Write, reason: ReaderRefused}, nil
}

func (f *failures) afterWriter(ctx context.Context, to route, err error) (*route, error) {
	r := f.c.router
	fault := r.writer.Classify(err)
	refused := fault == binds.ReadOnly && to.kind == sqlkind.Write
	unreachable := refused || fault == binds.NotSent || fault == binds.Busy
	unavailable := func() error {
		replica := f.readOnly || refused || errors.Is(err, errWriterIsReplica)
		return &UnavailableError{Engine: r.writer.Name(), ReadOnly: replica, Err: err}
	}
	switch {
	case ctx.Err() != nil && unreachable && !errors.Is(err, ctx.Err()): // found out as the time ended
		return nil, unavailable()
	case ctx.Err() != nil:
		return nil, outcome(r.writer, to.kind, fault, err)
	case refused:
		again := f.readOnly
		f.readOnly = true
		if r.demoted(); !r.mayBePromoted(ctx, again) {
			return nil, unavailable()
		}
	case fault == binds.Unknown && to.kind == sqlkind.Write:
		return nil, outcome(r.writer, to.kind, fault, err)
	case !unreachable && fault != binds.Unknown:
		return nil, err
	}
	if !f.waitForWriter(ctx) {
		return nil, unavailable()
	}
	r.stats.retried.Add(1)
	if to.reason == Stale || to.reason == ReadersDown { // a reader may be fit by now
		next := new(route)
		if err := f.c.routeRead(ctx, f.s, next); err != nil {
			return nil, err
		}
		return next, nil
	}
	return &to, nil
}

// waitForWriter waits before a statement is sent again that was certainly not carried out. It
// reports false when the caller's time would not suffice.
func (f *failures) waitForWriter(ctx context.Context) bool {
	f.wait = min(max(2*f.wait, firstWait), maxWait)
	d := f.wait/2 + rand.N(f.wait/2)
	if deadline, ok := ctx.Deadline(); ok {
		if time.Until(deadline) <= d {
			return false
		}
	} else if f.waited+d > patience {
		return false
	}
	f.waited += d
	return pause(ctx, d)
}

// outcome says of a write whose answer did not come that it may have been carried out.
func outcome(e *binds.Engine, kind sqlkind.Kind, fault binds.Fault, err error) error {
	var known *OutcomeUnknownError
	if kind != sqlkind.Write || fault != binds.Unknown || errors.As(err, &known) {
		return err
	}
	return &OutcomeUnknownError{Engine: e.Name(), Err: err}
}
