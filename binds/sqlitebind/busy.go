package sqlitebind

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// waiters are the connections by the number that SQLite gives back to waitForLock.
var (
	waiters    sync.Map // uintptr → *waiter
	waiterLast atomic.Uintptr
)

// A waiter waits for the locks of one connection. SQLite's own busy_timeout sleeps on when its
// context has ended.
type waiter struct {
	id      uintptr
	timeout time.Duration
	// ctx is the context of the statement at work: SQLite calls back without one. It belongs to the
	// goroutine that uses the connection.
	ctx   context.Context
	since time.Time // of the wait's beginning
	// gaveUp says that a wait of the statement at work was in vain. SQLite may report it as another
	// error: "no such table", where it could not read whether there is one by now.
	gaveUp bool
}

func newWaiter(timeout time.Duration) *waiter {
	w := &waiter{id: waiterLast.Add(1), timeout: timeout, ctx: context.Background()}
	waiters.Store(w.id, w)
	return w
}

// during runs a call of SQLite whose waits end with ctx.
func (w *waiter) during(ctx context.Context, call func() error) error {
	w.ctx, w.gaveUp = ctx, false
	err := call()
	w.ctx = context.Background()
	return w.explain(ctx, err)
}

// insist runs a call until it is not SQLITE_BUSY, for as long as a wait may take. SQLite does not wait by
// itself where two connections could wait for each other: when both turn a new file's journal into
// a write-ahead log.
func (w *waiter) insist(ctx context.Context, call func() error) error {
	for n := 0; ; n++ {
		err := call()
		var e *sqlite.Error
		var waited *BusyError
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY || errors.As(err, &waited) {
			return err
		}
		w.ctx = ctx
		again := w.wait(n)
		w.ctx = context.Background()
		if !again {
			return w.explain(ctx, err)
		}
	}
}

// explain turns SQLite's error into what it was in truth: the end of the context, or of patience.
func (w *waiter) explain(ctx context.Context, err error) error {
	var e *sqlite.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	interrupted := e.Code()&0xff == sqlite3.SQLITE_INTERRUPT
	switch ended := ctx.Err(); {
	case ended != nil && (interrupted || w.gaveUp):
		return &InterruptedError{Context: ended, Err: err}
	case w.gaveUp:
		return &BusyError{Waited: w.timeout, Err: err}
	}
	return err
}

func (w *waiter) close() { waiters.Delete(w.id) }

// waitForLock is SQLite's busy handler, https://www.sqlite.org/c3ref/busy_handler.html. It answers 0
// to give up with SQLITE_BUSY.
func waitForLock(_ *libc.TLS, id uintptr, n int32) int32 {
	w, ok := waiters.Load(id)
	if ok && w.(*waiter).wait(int(n)) {
		return 1
	}
	return 0
}

// lockDelays begin short, since most locks do, and stay short enough to be fair.
var lockDelays = [...]time.Duration{
	100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
}

// wait sleeps before attempt n+1, and reports whether there is to be one.
func (w *waiter) wait(n int) bool {
	if n == 0 {
		w.since = time.Now()
	}
	left := w.timeout - time.Since(w.since)
	w.gaveUp = left <= 0 || w.ctx.Err() != nil
	if w.gaveUp {
		return false
	}
	t := time.NewTimer(min(left, lockDelays[min(n, len(lockDelays)-1)]))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.ctx.Done():
		w.gaveUp = true
		return false
	}
}
