package mysqlbind

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/panicked"
)

const (
	// killTimeout bounds the killing of what was given up at one time. A server that cannot be
	// reached for so long finds the closed sockets by itself.
	killTimeout = 5 * time.Second
	killRetry   = 250 * time.Millisecond
	// maxQueue is how many sessions wait to be ended. What finds it full is dropped, as is what cannot be ended within
	// killTimeout: the server finds out by itself.
	maxQueue = 128
	// closeGrace is how long close waits for kills under way.
	closeGrace = time.Second
)

// killer ends sessions on the server whose statements were given up here: the MySQL driver closes its
// socket, which the server notices only when it next writes to it, and an INSERT that waits for
// a lock would still be carried out.
//
// One goroutine with one connection serves all that is given up at a time, so that a thousand
// contexts ending together do not open a thousand connections.
type killer struct {
	source *source
	role   binds.Role      // of its connections: MySQL Router leads those of readers to another server
	ctx    context.Context // ends at close
	cancel context.CancelFunc

	asked, dropped atomic.Uint64 // sessions

	mu     sync.Mutex // guards what follows
	queue  []session
	worker chan struct{} // closed when the goroutine ends; nil if there is none
	closed bool
}

func newKiller(s *source, role binds.Role) *killer {
	ctx, cancel := context.WithCancel(context.Background())
	return &killer{source: s, role: role, ctx: ctx, cancel: cancel}
}

// add has s ended in the background.
func (k *killer) add(s session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || s.splits || len(k.queue) >= maxQueue {
		k.dropped.Add(1)
		return
	}
	k.queue = append(k.queue, s)
	if k.worker == nil {
		k.worker = make(chan struct{})
		go k.work(k.worker)
	}
}

// close lets kills under way finish, within bounds, and waits for the goroutine.
func (k *killer) close() {
	k.mu.Lock()
	k.closed = true
	worker := k.worker
	k.mu.Unlock()
	defer k.cancel()
	if worker == nil {
		return
	}
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-worker:
	case <-grace.C:
		k.cancel()
		<-worker
	}
}

func (k *killer) work(done chan struct{}) {
	defer close(done)
	for {
		batch := k.take()
		if batch == nil {
			return
		}
		k.end(batch)
	}
}

// take empties the queue. Nil means that the goroutine is to end.
func (k *killer) take() []session {
	k.mu.Lock()
	defer k.mu.Unlock()
	batch := k.queue
	k.queue = nil
	if batch == nil {
		k.worker = nil
	}
	return batch
}

func (k *killer) end(batch []session) {
	asked := 0
	defer func() {
		k.asked.Add(uint64(asked))
		k.dropped.Add(uint64(len(batch) - asked))
	}()
	ctx, cancel := context.WithTimeout(k.ctx, killTimeout)
	defer cancel()
	c, own, err := k.connect(ctx)
	if err != nil {
		return // the sockets are closed: the server finds out by itself
	}
	defer func() { _ = c.Close() }()                       // nothing depends on it
	defer panicked.Catch(&err, "Query", reflect.TypeOf(c)) // nobody else could, and one server's answers are no reason to end the process
	still, err := stillOf(ctx, c, own)
	if err != nil {
		return
	}
	for _, s := range batch {
		if still(s) {
			// An error means that the session has ended by now.
			_, _ = c.ExecContext(ctx, "KILL CONNECTION "+strconv.FormatUint(s.id, 10), nil)
		}
		if ctx.Err() != nil {
			return
		}
		asked++
	}
}

// counts returns how many sessions were ended, or had ended, and how many the server was not told of.
func (k *killer) counts() binds.CancelStats {
	return binds.CancelStats{Asked: k.asked.Load(), Dropped: k.dropped.Load()}
}

// connect tries again while the server is out of connections: that is when killing counts.
func (k *killer) connect(ctx context.Context) (nativeConn, session, error) {
	tick := time.NewTicker(killRetry)
	defer tick.Stop()
	for {
		c, own, _, err := k.source.connect(ctx, k.role)
		if err == nil || (Driver{}).Classify(err) != binds.Busy {
			return c, own, err
		}
		select {
		case <-ctx.Done():
			return nil, session{}, err
		case <-tick.C:
		}
	}
}

// stillOf returns what tells, on a connection with the session own, whether a session is still the one that it was.
func stillOf(ctx context.Context, c nativeConn, own session) (func(session) bool, error) {
	var started time.Time
	if own.mark == "" {
		up, err := uptime(ctx, c)
		if err != nil {
			return nil, err
		}
		started = time.Now().Add(-up)
	}
	return func(s session) bool {
		if s.mark != "" {
			return hasMark(ctx, c, s)
		}
		return own.mark == "" && isSame(s, own, started)
	}, nil
}

// isSame reports whether the identifier of s, seen from the later session own on a server that
// started at started, still means s.
//
// Servers count identifiers up from their start and do not use one twice before the 32-bit counter
// has gone round. So it is enough that own is on the same server, that the server has not been
// restarted since s began, and that own has the higher identifier. Two seconds allow for a server
// that counts its uptime in whole ones.
func isSame(s, own session, started time.Time) bool {
	return s.server == own.server && s.id < own.id && !started.Add(-2*time.Second).After(s.since)
}

// uptime asks how long the server has been running.
func uptime(ctx context.Context, c nativeConn) (time.Duration, error) {
	v, err := oneRow(ctx, c, "SHOW GLOBAL STATUS LIKE 'Uptime'")
	if err != nil {
		return 0, err
	}
	if len(v) != 2 {
		return 0, fmt.Errorf("mysqlbind: the server does not tell its uptime")
	}
	seconds, err := strconv.ParseInt(v[1], 10, 64)
	return time.Duration(seconds) * time.Second, err
}
