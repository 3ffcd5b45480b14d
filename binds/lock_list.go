package binds

import "context"

// A LockLister is a [NamedLocks] that can say which locks are held and waited for on its server, by whichever process.
type LockLister interface {
	// ListLocks makes a connection of no pool, asks, and closes it. It takes no lock, and makes no file or table. Where the server knows locks
	// by a hash of their names, names are those that may be among them: only these can be told by name.
	ListLocks(ctx context.Context, names []string) (LockList, error)
}

// LockList is what a server tells of named locks.
type LockList struct {
	// Locks are those that are held or waited for, by name, those without one last.
	Locks []LockState
	// Limits says what the list may lack and what would change that, a sentence each: locks that only their names can find, sessions that the
	// login may not see. Empty means that it is whole.
	Limits []string
}

// LockState is one named lock.
type LockState struct {
	// Name is the lock's name, "" if the server knows a hash alone and it is none of those asked for.
	Name string
	// ID is what the server knows it by: the key of an advisory lock, the name for GET_LOCK, on SQLite the name itself.
	ID string
	// Holder says who holds it, as far as the server tells; "" if nobody does.
	Holder string
	// Waiters are those who wait for it, as far as the server tells.
	Waiters []string
}

// ListLocks asks the engine's server which named locks are held and waited for, see [LockLister]. The error is [ErrNoLocks] where the
// database knows no such locks or its driver cannot list them, a [*LockNameError] for a bad name, a [*ConnectError] where the server cannot be asked.
func (e *Engine) ListLocks(ctx context.Context, names ...string) (list LockList, err error) {
	for _, name := range names {
		if err := CheckLockName(name); err != nil {
			return list, err
		}
	}
	r := e.renew()
	err = r.use(ctx, func(o *opened) error {
		locks, err := r.locksOf(o)
		if err != nil {
			return err
		}
		lister, ok := locks.(LockLister)
		if !ok {
			return ErrNoLocks
		}
		return caught("ListLocks", locks, func() (err error) {
			list, err = lister.ListLocks(ctx, names)
			return err
		})
	})
	switch {
	case err == nil || err == ErrNoLocks:
		return list, err
	}
	return list, &ConnectError{Engine: e.name, Err: err}
}
