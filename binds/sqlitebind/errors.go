package sqlitebind

import (
	"errors"
	"fmt"
	"time"
)

// MissingError reports a file or directory that is not there and may not be created.
type MissingError struct {
	Path      string // absolute
	Directory bool   // Path is the directory, not the file
	Cure      string
}

func (e *MissingError) Error() string {
	what := "file"
	if e.Directory {
		what = "directory"
	}
	return fmt.Sprintf("sqlitebind: no %s %q: %s", what, e.Path, e.Cure)
}

// InterruptedError reports a statement that the end of its context stopped. SQLite undid the
// statement; a write inside a transaction takes the whole transaction with it, see [ErrTxLost].
// It matches the context's error: errors.Is(err, context.Canceled).
type InterruptedError struct {
	Context error // context.Canceled or context.DeadlineExceeded
	Err     error // SQLite's
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("sqlitebind: statement stopped: %v (%v)", e.Context, e.Err)
}

func (e *InterruptedError) Unwrap() []error { return []error{e.Context, e.Err} }

// BusyError reports a lock that another transaction, of this process or another, held longer than the
// URI's busy_timeout. Nothing was done; the whole transaction may run again.
type BusyError struct {
	Waited time.Duration
	Err    error // SQLite's
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("sqlitebind: the database stayed locked for %v by another transaction (%v)", e.Waited, e.Err)
}

func (e *BusyError) Unwrap() error { return e.Err }

// ErrTxLost reports a transaction that SQLite has rolled back by itself, after an interrupt or an
// error such as a full disk, or that the program ended by a statement of its own. The statement
// was not carried out: it would have been committed by itself.
var ErrTxLost = errors.New("sqlitebind: the transaction is no longer open: an earlier error rolled it back")

// errIsolation reports an isolation level that SQLite does not have.
var errIsolation = errors.New("sqlitebind: SQLite has no such isolation level: every transaction is serializable")

// errNoHandle reports a version of modernc.org/sqlite whose connections look different.
var errNoHandle = errors.New("sqlitebind: this version of modernc.org/sqlite is not supported: require v1.60.1")

// errLockReadOnly reports a named lock on a database that the URI lets nobody write.
var errLockReadOnly = errors.New("sqlitebind: a lock is written beside the database, and the URI says mode=ro: lock through a bind without it")

// lockGoneError reports a named lock that is its holder's no more.
type lockGoneError struct{ why string }

func (e *lockGoneError) Error() string { return "sqlitebind: the lock is gone: " + e.why }
