package manager

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A Lock is a named lock that this process holds, until [Lock.Unlock] or until it is lost. It is safe for
// concurrent use.
type Lock struct {
	bind  *Bind
	name  string
	since time.Time
	fence uint64
	held  binds.NamedLock
	watch *lockWatch

	ctx  context.Context
	lose context.CancelCauseFunc

	unlocking sync.Once
	unlockErr error // of unlocking
}

// A LockOption says how long to wait for a lock.
type LockOption func(*lockOptions)

type lockOptions struct {
	limited bool
	wait    time.Duration
	beyond  bool // the bind's limits do not count
}

// beyondLimits is for the library's own locks, which no client names.
func beyondLimits(o *lockOptions) { o.beyond = true }

// Wait gives up with [ErrLockTimeout] after d. Zero or less is [TryOnly].
func Wait(d time.Duration) LockOption {
	return func(o *lockOptions) { o.limited, o.wait = true, max(d, 0) }
}

// TryOnly takes the lock if it is free, and else gives up at once with [ErrLockTimeout].
func TryOnly() LockOption { return Wait(0) }

// Lock takes the lock called name of the bind that b names, on its writer's server, and waits for it as
// long as ctx allows, or as opts say. Whoever locks the same name of the same database waits, in this
// process or another. A name is a text
// of 1 to 4096 bytes, without NUL.
//
// A failure is a [*LockError], unless the bind itself is unknown: it matches [ErrLockTimeout] if the lock stayed taken,
// [ErrTooManyLocks] if the bind has as many as its [LockLimits] allow, [router.ErrNoWriter] if the server could not be reached, the context's error if ctx ended, and [ErrClosed]. When ctx ends
// Lock returns within 100 milliseconds, and nothing of it is left waiting on the server.
//
// Each Lock has a connection of its own, beside the bind's pool, so that locks do not use that up; and
// a second Lock of a name waits for the first, also in the same goroutine. Of those who wait for one
// name, a process has one connected to the server; the others queue behind it. What a lock costs while
// it is held: its connection, and one small query every 250 milliseconds.
//
// A lock is no proof: a process that was stopped for long, or cut off, may go on for a moment after
// another has got the lock. [Lock.Context] makes that moment short; [Lock.Fence] lets what the lock
// protects refuse a holder that is late. On a SQLite file, a process that died frees its locks after
// ten to thirteen seconds; elsewhere the server does so when the connection breaks.
func (m *DBManager) Lock(ctx context.Context, b binds.Bound, name string, opts ...LockOption) (*Lock, error) {
	bind, release, err := m.hold(ctx, b)
	if err != nil {
		return nil, err
	}
	defer release() // the lock keeps it
	var o lockOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return bind.lock(ctx, name, o)
}

// WithLock calls fn while it holds a lock, as [DBManager.Lock] takes it, and frees that when fn returns
// or panics. The context that fn gets is [Lock.Context]: it ends when the lock is lost. WithLock then
// returns fn's error and a [*LockError] that matches [ErrLockLost], joined, also where fn returned nil:
// somebody else may have held the lock while fn ran. A nil fn is [router.ErrNilFunc], and nothing is locked.
func (m *DBManager) WithLock(ctx context.Context, b binds.Bound, name string, fn func(ctx context.Context) error, opts ...LockOption) error {
	bind, release, err := m.hold(ctx, b)
	defer release()
	switch {
	case err != nil:
		return err
	case fn == nil:
		return router.ErrNilFunc
	}
	return bind.withLock(ctx, name, fn, opts...)
}

func (b *Bind) withLock(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...LockOption) (err error) {
	var o lockOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	l, err := b.lock(ctx, name, o)
	if err != nil {
		return err
	}
	defer func() {
		switch lost := l.Unlock(); {
		case err == nil:
			err = lost
		case lost != nil:
			err = errors.Join(err, lost)
		}
	}()
	return fn(l.Context())
}

// Name returns the lock's name.
func (l *Lock) Name() string { return l.name }

// Context returns a context derived from that given to [DBManager.Lock]. It is cancelled as soon as the
// lock can have been lost, with a [*LockError] that matches [ErrLockLost] as context.Cause: within 300
// milliseconds if its session was ended, its connection broke or its server became a replica; within
// three seconds if the server no longer answers. It is cancelled by Unlock too.
//
// When the context that it is derived from ends, the lock stays held until Unlock.
func (l *Lock) Context() context.Context { return l.ctx }

// Fence returns a number that is higher than that of every earlier holder of the lock, if the database
// can give one. Store it with what the lock protects, and refuse a lower one there: then a holder that
// lost the lock without knowing does no harm.
//
// PostgreSQL gives a transaction's number, which grows for as long as no failover loses transactions, SQLite
// a counter. MariaDB and MySQL have nothing that grows without a table of the user's: ok is false.
func (l *Lock) Fence() (fence uint64, ok bool) { return l.fence, l.fence != 0 }

// Unlock frees the lock and says whether it was held until now: nil if so, a [*LockError] that matches
// [ErrLockLost] if not, or if the server did not say so within about a second. It may be called again, and returns
// the same.
func (l *Lock) Unlock() error {
	l.unlock(nil)
	return l.unlockErr
}

// unlock frees the lock. An error says why it is taken from its holder, who then did not keep it.
func (l *Lock) unlock(because error) {
	l.unlocking.Do(func() {
		if because != nil {
			l.watch.fail(because)
		}
		l.unlockErr = l.release()
		l.lose(nil)
		l.bind.locks.remove(l)
	})
}

// unlockTimeout bounds what Unlock waits for: the look at the lock that is under way, and the release.
const unlockTimeout = time.Second

func (l *Lock) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), unlockTimeout)
	defer cancel()
	l.watch.stop(ctx)
	held, err := l.held.Release(ctx) // of a lost lock too: it may be there still
	_ = l.held.Close()               // the release says all
	if lost := l.watch.lost(); lost != nil {
		return l.lostError(lost)
	}
	switch {
	case err != nil:
		return l.lostError(lockCause(err))
	case !held:
		return l.lostError(errNotHeld)
	}
	return nil
}

func (l *Lock) lostError(cause error) *LockError {
	return &LockError{Bind: l.bind.key, Name: l.name, Err: &lostError{cause}}
}
