package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

const (
	// lockSlice is how long one statement waits for a lock: for as long a waiter may stay on a server
	// that its cancelling does not reach. In between it loses its place in the server's queue.
	lockSlice = time.Second
	// lockPause is between two attempts where the server gave the first up, to break a deadlock, say.
	lockPause = 20 * time.Millisecond
	// lockAsk bounds the question who holds a lock, and how long before the context's deadline it
	// is asked.
	lockAsk = 50 * time.Millisecond
)

// lock takes a lock and begins to watch it.
func (b *Bind) lock(ctx context.Context, name string, o lockOptions) (*Lock, error) {
	by := b.router.Observer()
	if by == nil {
		return b.takeLock(ctx, name, o)
	}
	began := time.Now()
	l, err := b.takeLock(ctx, name, o)
	by.LockWaited(ctx, &router.LockWait{Took: time.Since(began), Engine: b.writer, Err: err})
	return l, err
}

func (b *Bind) takeLock(ctx context.Context, name string, o lockOptions) (*Lock, error) {
	if err := binds.CheckLockName(name); err != nil {
		return nil, b.lockError(name, "", err)
	}
	waiting, leave, err := b.locks.enter(ctx, o.beyond)
	if err != nil {
		return nil, b.lockError(name, "", err)
	}
	defer leave()
	l, err := b.acquire(waiting, ctx, name, o)
	if err == nil {
		return l, nil
	}
	var typed *LockError
	var connect *binds.ConnectError
	if errors.As(err, &connect) && !errors.Is(err, ErrLockTimeout) && ctx.Err() != context.Canceled {
		err = &router.UnavailableError{Engine: connect.Engine, Err: err}
	}
	if !errors.As(err, &typed) {
		typed = b.lockError(name, "", err)
	}
	if b.locks.closing.Err() != nil && ctx.Err() == nil {
		typed.Err = ErrClosed
	}
	return nil, typed
}

func (b *Bind) lockError(name, holder string, err error) *LockError {
	return &LockError{Bind: b.key, Name: name, Holder: holder, Err: err}
}

// acquire waits for its turn, and then on a connection of its own, until waiting ends. The lock's
// context comes from ctx.
func (b *Bind) acquire(waiting, ctx context.Context, name string, o lockOptions) (*Lock, error) {
	a := &lockAttempt{bind: b, name: name, options: o, began: time.Now()}
	leave, err := a.open(waiting)
	defer leave()
	if err != nil {
		return nil, err
	}
	l, err := a.wait(waiting, ctx)
	if err != nil {
		_ = a.held.Close() // the error counts
	}
	return l, err
}

// A lockAttempt is one call that waits for a lock.
type lockAttempt struct {
	bind    *Bind
	name    string
	options lockOptions
	began   time.Time
	held    binds.NamedLock
}

// open waits for the turn and connects, within the limits of the wait.
func (a *lockAttempt) open(waiting context.Context) (leave func(), err error) {
	opening, cancel := waiting, func() {}
	if a.options.wait > 0 {
		opening, cancel = context.WithTimeout(waiting, a.options.wait)
	}
	defer func() { cancel() }()
	leave = func() {}
	if !a.options.limited || a.options.wait > 0 { // who only tries waits for nobody
		if leave, err = a.bind.locks.turn(opening, a.name); err != nil {
			return leave, a.late(waiting, opening, nil)
		}
	}
	if err = a.bind.locks.connect(a.name, a.options.limited && a.options.wait == 0, a.options.beyond); err != nil {
		return leave, err
	}
	held, err := a.bind.writer.NamedLock(opening, a.name)
	if err != nil {
		a.bind.locks.disconnect()
		return leave, a.late(waiting, opening, err)
	}
	a.held = &countedLock{NamedLock: held, set: a.bind.locks}
	return leave, nil
}

// late says which of the limits that opening has, if any, made it fail.
func (a *lockAttempt) late(waiting, opening context.Context, err error) error {
	switch {
	case waiting.Err() != nil:
		return a.ended(waiting, err)
	case opening.Err() != nil && err != nil:
		return &timeoutError{err}
	case opening.Err() != nil:
		return ErrLockTimeout
	}
	return err
}

func (a *lockAttempt) wait(waiting, ctx context.Context) (*Lock, error) {
	for first := true; ; first = false {
		slice := a.slice(waiting)
		if slice <= 0 && !first {
			return nil, a.givenUp(waiting)
		}
		got, err := a.held.Acquire(waiting, max(slice, 0))
		switch {
		case got && waiting.Err() == nil:
			return a.begin(waiting, ctx)
		case got: // too late: closing the connection frees it
			return nil, waiting.Err()
		case waiting.Err() != nil:
			return nil, a.ended(waiting, err)
		case err != nil && a.bind.writer.Classify(err) != binds.Retryable:
			return nil, err
		case err != nil:
			pause(waiting, min(lockPause, max(slice, 0)))
		}
	}
}

// slice is how long the next statement may wait: not longer than the options and the deadline of
// ctx leave, so that the connection is good for a question to the server at the end.
func (a *lockAttempt) slice(ctx context.Context) time.Duration {
	slice := lockSlice
	if a.options.limited {
		slice = min(slice, a.options.wait-time.Since(a.began))
	}
	if deadline, ok := ctx.Deadline(); ok {
		slice = min(slice, time.Until(deadline)-lockAsk)
	}
	return slice
}

// givenUp is the error of a wait that its limit ended, not the server.
func (a *lockAttempt) givenUp(waiting context.Context) error {
	asking, cancel := context.WithTimeout(waiting, lockAsk)
	holder, err := a.held.Holder(asking)
	cancel()
	if err != nil {
		holder = "" // it only adds to the error
	}
	if a.options.limited && time.Since(a.began) >= a.options.wait {
		return a.bind.lockError(a.name, holder, ErrLockTimeout)
	}
	<-waiting.Done() // its deadline is less than lockAsk away
	return a.bind.lockError(a.name, holder, waiting.Err())
}

// ended is the error of a wait that the end of its context stopped.
func (a *lockAttempt) ended(waiting context.Context, err error) error {
	switch {
	case err == nil:
		return waiting.Err()
	case !errors.Is(err, waiting.Err()):
		return fmt.Errorf("%w (%w)", waiting.Err(), err)
	}
	return err
}

// begin makes a lock that is held into a Lock that is watched.
func (a *lockAttempt) begin(waiting, ctx context.Context) (*Lock, error) {
	until, err := a.held.Check(waiting)
	if err != nil {
		return nil, err
	}
	l := &Lock{bind: a.bind, name: a.name, since: time.Now(), fence: a.held.Fence(), held: a.held}
	l.ctx, l.lose = context.WithCancelCause(ctx)
	l.watch = watchLock(a.held, until, func(cause error) { l.lose(l.lostError(cause)) })
	if err := a.bind.locks.add(l); err != nil {
		l.unlock(err)
		return nil, err
	}
	return l, nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
