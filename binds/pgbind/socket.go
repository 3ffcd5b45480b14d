package pgbind

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
)

const (
	// unwatched is how long a statement runs before its context gets a watcher. Most end sooner and
	// so cost one timer, no goroutine and no allocation.
	unwatched = 5 * time.Millisecond
	// grace is how long an interrupted statement may still bring its answer, which tells its
	// outcome. A cancel request takes about a millisecond in a data centre.
	grace = 50 * time.Millisecond
)

// A socket is a network connection whose reads and writes end soon after the context of the
// statement under way. It lies below TLS, which therefore never sees a time-out that is not final.
//
// One goroutine at a time uses it, as database/sql does; interrupt may come from any.
type socket struct {
	net.Conn
	onInterrupt func() // tells the server to stop; must not block

	ctx       context.Context // of the statement under way; nil: it cannot end
	disarm    func() bool     // stops the watcher of ctx; nil: there is none yet
	tell      bool            // whether an interruption tells the server
	timed     bool            // the connection has a deadline of ours
	doomed    bool            // an interruption came too late to matter, or in time
	readLimit time.Time       // what the driver set; zero: none
	sendLimit time.Time
	end       atomic.Int64 // Unix nanoseconds when reading and writing end; 0: not interrupted
	answered  atomic.Bool  // the server's answer came after the interruption
}

// begin starts a statement that ends with ctx. It is ErrBadConn on a connection interrupted before.
func (s *socket) begin(ctx context.Context, tell bool) error {
	if err := ctx.Err(); err != nil {
		return &binds.NotSentError{Err: err}
	}
	if s.isDoomed() {
		return driver.ErrBadConn
	}
	if ctx.Done() == nil {
		s.untime()
		return nil
	}
	s.ctx, s.tell, s.timed = ctx, tell, true
	_ = s.Conn.SetDeadline(time.Now().Add(unwatched)) // fails on a closed connection only
	return nil
}

// finish ends the statement. Nothing reaches its context's end from here on.
func (s *socket) finish() {
	if s.disarm != nil && !s.disarm() {
		s.doomed = true // the watcher runs, perhaps only just
	}
	s.ctx, s.disarm = nil, nil
}

// isDoomed reports whether the connection was interrupted, and so must not be used again: a cancel
// request is under way that would hit the next statement.
func (s *socket) isDoomed() bool { return s.doomed || s.end.Load() != 0 }

// interrupt ends the statement under way after the grace.
func (s *socket) interrupt() {
	end := time.Now().Add(grace)
	if !s.end.CompareAndSwap(0, end.UnixNano()) {
		return
	}
	_ = s.Conn.SetDeadline(end)
	if s.tell {
		s.onInterrupt()
	}
}

func (s *socket) Read(p []byte) (int, error) {
	for {
		n, err := s.Conn.Read(p)
		if n > 0 || err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := s.timeout(s.readLimit, err); err != nil {
			return 0, err
		}
	}
}

func (s *socket) Write(p []byte) (int, error) {
	sent := 0
	for {
		n, err := s.Conn.Write(p[sent:])
		sent += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		if err := s.timeout(s.sendLimit, err); err != nil {
			return sent, err
		}
	}
}

// timeout decides what a deadline that passed means: the end of the grace, the driver's own limit,
// or only the time to have the context watched. In the last case it returns nil: go on.
func (s *socket) timeout(limit time.Time, err error) error {
	now := time.Now()
	if end := s.end.Load(); end != 0 {
		if now.UnixNano() < end {
			_ = s.Conn.SetDeadline(time.Unix(0, end))
			return nil
		}
		if s.ctx != nil && s.ctx.Err() != nil {
			return &CanceledError{Err: s.ctx.Err()}
		}
		return err
	}
	if !limit.IsZero() && !now.Before(limit) || s.ctx == nil {
		return err
	}
	s.untime()
	if s.disarm == nil {
		s.disarm = context.AfterFunc(s.ctx, s.interrupt)
	}
	return nil
}

// untime takes our deadline off and puts the driver's limits in its place.
func (s *socket) untime() {
	if !s.timed {
		return
	}
	s.timed = false
	_ = s.Conn.SetReadDeadline(s.readLimit)
	_ = s.Conn.SetWriteDeadline(s.sendLimit)
	s.reapply()
}

// SetReadDeadline sets the driver's own limit. It cannot push an interruption's end away.
func (s *socket) SetReadDeadline(t time.Time) error {
	if s.timed || t.IsZero() && s.readLimit.IsZero() {
		s.readLimit = t
		return nil
	}
	s.readLimit = t
	err := s.Conn.SetReadDeadline(t)
	s.reapply()
	return err
}

// SetWriteDeadline sets the driver's own limit, likewise.
func (s *socket) SetWriteDeadline(t time.Time) error {
	if s.timed || t.IsZero() && s.sendLimit.IsZero() {
		s.sendLimit = t
		return nil
	}
	s.sendLimit = t
	err := s.Conn.SetWriteDeadline(t)
	s.reapply()
	return err
}

// SetDeadline sets both limits.
func (s *socket) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// reapply repeats an interruption that came while a deadline was being set.
func (s *socket) reapply() {
	if end := s.end.Load(); end != 0 {
		_ = s.Conn.SetDeadline(time.Unix(0, end))
	}
}
