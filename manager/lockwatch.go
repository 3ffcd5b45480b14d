package manager

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/panicked"
)

const (
	// lockBeat is the pause between two looks at a lock.
	lockBeat = 250 * time.Millisecond
	// lockSilence is how long a server may take to answer one before the lock counts as lost. Sessions
	// survive a server that stalls for longer; a failover takes no less.
	lockSilence = 2 * time.Second
)

// A lockWatch looks at a lock that is held until it is stopped or the lock is lost.
type lockWatch struct {
	held   binds.NamedLock
	onLost func(error)

	cancel context.CancelFunc // ends the look under way
	ended  chan struct{}      // closed: no look is begun any more
	done   chan struct{}      // closed: none is under way either

	mu      sync.Mutex // guards the rest
	cause   error      // why the lock was lost
	stopped bool
}

// watchLock looks at held, which counts as held until the given time, if that is not zero.
func watchLock(held binds.NamedLock, until time.Time, onLost func(cause error)) *lockWatch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &lockWatch{held: held, onLost: onLost, cancel: cancel, ended: make(chan struct{}), done: make(chan struct{})}
	go w.run(ctx, until)
	return w
}

func (w *lockWatch) run(ctx context.Context, until time.Time) {
	defer close(w.done)
	tick := time.NewTicker(lockBeat)
	defer tick.Stop()
	// The guard works while a look hangs, in a way that no context ends.
	guard := time.AfterFunc(lockGuard(until), func() { w.fail(errSilence) })
	defer guard.Stop()
	for {
		select {
		case <-w.ended:
			return
		case <-tick.C:
		}
		until, err := w.look(ctx)
		if err != nil {
			w.fail(err)
		}
		if w.lost() != nil {
			return
		}
		guard.Reset(lockGuard(until))
	}
}

// look asks whether the lock is held still. That the driver panics at the answer is an error, for nobody could recover it here.
func (w *lockWatch) look(ctx context.Context) (until time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, lockSilence)
	defer cancel()
	defer panicked.Catch(&err, "Check", reflect.TypeOf(w.held))
	until, err = w.held.Check(ctx)
	return until, lockCause(err)
}

// lockCause says what an error of a lock's connection means. A context's is that of the look or the
// release: it must not pass for one of the caller's.
func lockCause(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w (%v)", errSilence, err)
	case errors.Is(err, driver.ErrBadConn):
		return fmt.Errorf("its connection broke, or the server ended its session: %w", err)
	}
	return err
}

// lockGuard is how long a lock counts as held without a further look: until its lease is about to
// end, or, where it has none, for as long as the next look may take.
func lockGuard(until time.Time) time.Duration {
	if until.IsZero() {
		return 2*lockBeat + lockSilence
	}
	return max(time.Until(until), 0)
}

// fail notes why the lock was lost, if it is not stopped or lost already.
func (w *lockWatch) fail(cause error) {
	w.mu.Lock()
	first := w.cause == nil && !w.stopped
	if first {
		w.cause = cause
	}
	w.mu.Unlock()
	if first {
		w.onLost(cause)
	}
}

// lost returns why the lock was lost, nil if it was not.
func (w *lockWatch) lost() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cause
}

// stop ends the watch: a look that is under way may end by itself, until ctx does.
func (w *lockWatch) stop(ctx context.Context) {
	close(w.ended)
	select {
	case <-w.done:
	case <-ctx.Done():
		w.cancel()
		<-w.done
	}
	w.cancel()
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
}
