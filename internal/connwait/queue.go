// Package connwait bounds the connections of a sql.DB, and how long its callers wait for one: database/sql waits for as long as
// the caller's context says, which may be for ever.
//
// The DB itself has no bound on its connections. Its connector is asked where none is idle, and waits here. A connection that is
// given back while somebody waits says that it is not valid; the DB closes it, and it goes to who waits. So a caller that
// finds a connection idle costs nothing, and whoever gives one back a look at a counter.
package connwait

import (
	"container/list"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/internal/ctxend"
)

// A Conn is a connection that can be passed on. It is told of its queue when it is made. From then on its IsValid is false while
// [Queue.Wants]; its Close gives it to [Queue.Pass] first where only that made it invalid and it is [Queue.Young], and else
// calls [Queue.Leave] at its end. The DB counts the age of a connection from when it was passed on: from then on the
// connection itself is not valid, and ResetSession fails, once it is Young no more.
type Conn interface {
	driver.Conn
	driver.SessionResetter
	WaitedFor(q *Queue)
	// Discard closes the connection, and does not call Leave: its place is the caller's.
	Discard() error
}

// Limits bound a [Queue].
type Limits struct {
	MaxOpen     int           // connections; at least 1
	MaxLifetime time.Duration // of a connection that is passed on; zero or less: no bound
	// MaxWait bounds the wait of a caller whose context has no deadline; zero or less: nothing does.
	MaxWait time.Duration
	// Refused returns the error of a caller that has waited for so long.
	Refused func(waited time.Duration) error
	// Closed is the error after Close.
	Closed error
}

// Stats count who waited.
type Stats struct {
	Waiting  int           // now
	Waits    int64         // so far
	Waited   time.Duration // by those who do no more
	Refusals uint64
}

// A Queue is where callers wait for a connection, first come, first served. It is safe for concurrent use.
type Queue struct {
	limits  Limits
	db      *sql.DB
	waiting atomic.Int64 // the length of callers

	mu      sync.Mutex // guards the rest
	callers list.List  // of *caller
	open    int        // connections, and leaves to make one
	closed  bool
	stats   Stats
}

// A caller waits for a connection.
type caller struct {
	got    chan driver.Conn // a connection, or nil for leave to make one; closed: the queue is
	first  chan struct{}    // closed once nobody in the queue is before it
	served bool             // it is in the queue no more
}

// New returns a queue. Serve must be called before it is used.
func New(l Limits) *Queue { return &Queue{limits: l} }

// Serve names the DB whose connections they are, which must have no bound of its own.
func (q *Queue) Serve(db *sql.DB) { q.db = db }

// Wants reports whether somebody waits.
func (q *Queue) Wants() bool { return q.waiting.Load() != 0 }

// Young reports whether a connection that was made at that time may be passed on: an older one is closed, and who waits makes
// another.
func (q *Queue) Young(made time.Time) bool {
	return q.limits.MaxLifetime <= 0 || time.Since(made) < q.limits.MaxLifetime
}

// collecting marks the context of who only looks whether the DB has an idle connection.
type collecting struct{}

var errNoneIdle = errors.New("connwait: no connection is idle")

const (
	// A connection can become idle while somebody begins to wait, and neither sees the other. The first in the queue looks
	// for it after firstLook, and then ever more rarely.
	firstLook = time.Millisecond
	lastLook  = 100 * time.Millisecond
	// A DB that was given a bound all the same has who looks wait for its connections. A look gives up after maxLook.
	maxLook = time.Millisecond
)

// Connect returns a connection that somebody has given back, or one that connect makes.
func (q *Queue) Connect(ctx context.Context, connect func(context.Context) (driver.Conn, error)) (driver.Conn, error) {
	passed, err := q.take(ctx)
	if err != nil {
		return nil, err
	}
	got := false
	defer func() {
		if !got { // it is no use, or a driver panicked
			q.Leave()
		}
	}()
	if passed != nil && reset(ctx, passed.(Conn)) {
		got = true
		return passed, nil
	}
	made, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	made.(Conn).WaitedFor(q)
	got = true
	return made, nil
}

// reset reports that a connection is ready for its next user, or else closes it: it is broken, or its time is over.
func reset(ctx context.Context, c Conn) bool {
	ready := false
	defer func() {
		if !ready {
			_ = c.Discard()
		}
	}()
	ready = !errors.Is(c.ResetSession(ctx), driver.ErrBadConn)
	return ready
}

func (q *Queue) take(ctx context.Context) (driver.Conn, error) {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return nil, q.limits.Closed
	case ctx.Value(collecting{}) != nil:
		q.mu.Unlock()
		return nil, errNoneIdle
	case q.open < q.limits.MaxOpen:
		q.open++
		q.mu.Unlock()
		return nil, nil
	}
	place := q.callers.PushBack(&caller{got: make(chan driver.Conn, 1), first: make(chan struct{})})
	if q.callers.Len() == 1 {
		q.leadLocked()
	}
	q.waiting.Add(1)
	q.stats.Waits++
	q.mu.Unlock()
	return q.wait(ctx, place)
}

func (q *Queue) wait(ctx context.Context, place *list.Element) (driver.Conn, error) {
	me, began := place.Value.(*caller), time.Now()
	waits := ctx
	if _, bounded := ctx.Deadline(); !bounded && q.limits.MaxWait > 0 {
		var stop context.CancelFunc
		waits, stop = context.WithTimeout(ctx, q.limits.MaxWait)
		defer stop()
	}
	var pause time.Duration
	var look *time.Timer // nil until it is the first
	var looks <-chan time.Time
	defer func() {
		if look != nil {
			look.Stop()
		}
	}()
	first := me.first
	for {
		var err error
		late := false
		select {
		case c, ok := <-me.got:
			q.done(began, false)
			if !ok {
				return nil, q.limits.Closed
			}
			if err := ctxend.Err(ctx); err != nil {
				q.giveBack(c)
				return nil, err
			}
			return c, nil
		case <-first:
			first, pause = nil, min(max(firstLook, time.Since(began)), lastLook)
			look = time.NewTimer(pause)
			looks = look.C
			continue
		case <-looks:
			q.collectIdle(waits)
			pause = min(2*pause, lastLook)
			look.Reset(pause)
			continue
		case <-waits.Done():
			if err = ctx.Err(); err == nil {
				err, late = q.limits.Refused(time.Since(began)), true
			}
		}
		if q.forget(place, me) {
			q.done(began, late)
			return nil, err
		}
		if c, ok := <-me.got; ok { // it was served at the last moment
			if late {
				q.done(began, false)
				return c, nil
			}
			q.giveBack(c)
		}
		q.done(began, late)
		return nil, err
	}
}

// done counts one who waits no more.
func (q *Queue) done(began time.Time, refused bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Waited += time.Since(began)
	if refused {
		q.stats.Refusals++
	}
}

// leadLocked tells the first caller that it is that.
func (q *Queue) leadLocked() {
	if e := q.callers.Front(); e != nil {
		close(e.Value.(*caller).first)
	}
}

// collectIdle has the idle connections of the DB given back once more.
func (q *Queue) collectIdle(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithValue(ctx, collecting{}, true), maxLook)
	defer stop()
	for range q.limits.MaxOpen {
		c, err := q.db.Conn(ctx)
		if err != nil {
			return
		}
		_ = c.Close() // it goes to who waits
	}
}

// forget takes a caller out of the queue, and reports false if it was served before.
func (q *Queue) forget(place *list.Element, c *caller) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.served {
		return false
	}
	led := q.callers.Front() == place
	q.callers.Remove(place)
	if led {
		q.leadLocked()
	}
	q.waiting.Add(-1)
	return true
}

// firstLocked takes the first caller out of the queue, nil if there is none.
func (q *Queue) firstLocked() *caller {
	e := q.callers.Front()
	if e == nil {
		return nil
	}
	first := q.callers.Remove(e).(*caller)
	first.served = true
	q.leadLocked()
	q.waiting.Add(-1)
	return first
}

// Pass gives a connection to who waits first, and reports false if nobody does any more.
func (q *Queue) Pass(c driver.Conn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.firstLocked()
	if first == nil {
		return false
	}
	first.got <- c
	return true
}

// giveBack is for who was served and needs nothing any more.
func (q *Queue) giveBack(c driver.Conn) {
	switch {
	case c == nil:
		q.Leave()
	case !q.Pass(c):
		defer q.Leave()
		_ = c.(Conn).Discard() // the DB has forgotten it
	}
}

// Leave says that a connection is closed: who waits first may make another one.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if first := q.firstLocked(); first != nil {
		first.got <- nil
		return
	}
	q.open--
}

// Stats returns the counts.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting = q.callers.Len()
	return s
}

// Close ends every wait, with the error for it.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for first := q.firstLocked(); first != nil; first = q.firstLocked() {
		close(first.got)
	}
}
