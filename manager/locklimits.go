package manager

import "fmt"

// LockLimits bound the named locks of one bind in this process: names may come from clients, and each lock has a connection
// of its own beside the pool's. What goes beyond is refused at once with a [*LockLimitError]: waiting for another lock's
// connection could be a wait for oneself. The lock of migrations is not counted.
type LockLimits struct {
	// MaxOpen is the most connections for locks at once: one for each lock that is held, for each name that is waited for, and for
	// each call with [TryOnly]. Zero means 20; negative means no bound.
	MaxOpen int
	// MaxWaiting is the most calls of Lock and WithLock that have not got their lock yet. Zero means 1000; negative means
	// no bound.
	MaxWaiting int
}

const (
	defaultLocks       = 20
	defaultLockWaiting = 1000
)

// WithDefaults returns l with its zero fields filled in.
func (l LockLimits) WithDefaults() LockLimits {
	return l.over(LockLimits{MaxOpen: defaultLocks, MaxWaiting: defaultLockWaiting})
}

// over returns l with its zero fields taken from base.
func (l LockLimits) over(base LockLimits) LockLimits {
	if l.MaxOpen == 0 {
		l.MaxOpen = base.MaxOpen
	}
	if l.MaxWaiting == 0 {
		l.MaxWaiting = base.MaxWaiting
	}
	return l
}

// LockLimitError reports a lock that was refused because of [LockLimits], in a [*LockError]. The server was not asked. It matches
// [ErrTooManyLocks].
type LockLimitError struct {
	Waiting bool // MaxWaiting was reached, else MaxOpen
	Limit   int
}

func (e *LockLimitError) Error() string {
	if e.Waiting {
		return fmt.Sprintf("%d calls wait for locks in this process, and no more may: let fewer wait, use TryOnly, or raise locks.max_waiting", e.Limit)
	}
	return fmt.Sprintf("this process has %d connections open for locks, and no more are allowed: hold fewer names at a time, or raise locks.max_open", e.Limit)
}

// Is reports whether target is [ErrTooManyLocks].
func (e *LockLimitError) Is(target error) bool { return target == ErrTooManyLocks }
