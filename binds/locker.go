package binds

import (
	"context"
	"time"
)

// A NamedLocker is a [Source] whose database knows locks by name. NamedLocks makes no connection; each
// call serves one more engine, which closes the result once, when it closes itself.
type NamedLocker interface {
	NamedLocks() NamedLocks
}

// NamedLocks is where the locks of one engine come from. It must be safe for concurrent use.
type NamedLocks interface {
	// Open makes a connection, of no pool, that serves one attempt to hold the lock called name: a
	// text that [CheckLockName] passes. It is the caller's to close, before the NamedLocks.
	Open(ctx context.Context, name string) (NamedLock, error)
	// Close frees what the locks share. All of them have been closed.
	Close() error
}

// A NamedLock is one attempt to hold a lock, on a connection of its own. Acquire, and after it Check and
// Release, are called one at a time, and not again after an error.
type NamedLock interface {
	// Acquire waits for the lock, for about the given time, and reports whether it is held now. Zero
	// asks once. When ctx ends it returns within 100 milliseconds, with an error that matches the
	// context's, and leaves neither the lock held nor a waiter on the server, as far as that can be
	// reached. A server that may not write refuses with [ErrNotPrimary].
	Acquire(ctx context.Context, wait time.Duration) (bool, error)
	// Fence returns a number that is higher than that of every earlier holder, or 0 if the database has
	// none to give. It is called while the lock is held.
	Fence() uint64
	// Check proves that the lock is held still, and the server a primary still. An error means that
	// either may be untrue. Until is when the lock ends by itself unless Check is called again in
	// time; the zero time if it lasts as long as its connection.
	Check(ctx context.Context) (until time.Time, err error)
	// Holder says who holds the lock, as far as the server tells: "pid 4711, application \"billing\"".
	// It is "" if nobody does, or the server does not tell.
	Holder(ctx context.Context) (string, error)
	// Release frees the lock, and reports whether it was held until then.
	Release(ctx context.Context) (held bool, err error)
	// Close closes the connection, and so frees what is held on it.
	Close() error
}

// CheckLockName returns an error, a [*LockNameError], unless name is one that every database can lock:
// text in UTF-8 of 1 to 4096 bytes, without NUL.
func CheckLockName(name string) error {
	if reason := badLockName(name); reason != "" {
		return &LockNameError{Name: name, Reason: reason}
	}
	return nil
}

// NamedLock opens a connection, of no pool, that serves one attempt to hold the lock called name. The
// caller closes it, before the engine. The error is [ErrNoLocks] where the database knows no such
// locks, a [*LockNameError] for a bad name, a [*ConnectError] where the server cannot be reached.
func (e *Engine) NamedLock(ctx context.Context, name string) (NamedLock, error) {
	if err := CheckLockName(name); err != nil {
		return nil, err
	}
	r := e.renew()
	var l NamedLock
	err := r.use(ctx, func(o *opened) error {
		locks, err := r.locksOf(o)
		if err != nil {
			return err
		}
		return caught("Open", locks, func() (err error) {
			l, err = locks.Open(ctx, name)
			return err
		})
	})
	switch {
	case err == ErrNoLocks:
		return nil, err
	case err != nil:
		return nil, &ConnectError{Engine: e.name, Err: err}
	}
	return l, nil
}
