package pgbind

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// Errors of transactions and connections. Test for them with errors.Is.
var (
	// ErrRolledBack reports a COMMIT that the server turned into a ROLLBACK because a statement of
	// the transaction had failed. PostgreSQL itself calls that a success.
	ErrRolledBack = errors.New("pgbind: commit: a statement of the transaction failed before, so the server rolled it back")
	// ErrSerializableOnStandby reports a transaction that no hot standby runs, manual section
	// 27.4.5. Nothing was sent.
	ErrSerializableOnStandby = errors.New("pgbind: begin: a hot standby runs no SERIALIZABLE transaction: ask for REPEATABLE READ, or use the writer")
	// ErrRowsOpen reports a statement on a transaction or pinned connection whose last result is
	// still being read. Nothing was sent.
	ErrRowsOpen = errors.New("pgbind: rows of an earlier statement are open on this connection: read them to the end or close them first")
	// ErrSeveralResults reports a query whose text holds several statements that give rows. All were run; the
	// rows of the first were given.
	ErrSeveralResults = errors.New("pgbind: the text holds several statements that give rows: all were run, the rows of the first were given: send each by a query of its own")
	// ErrCopy reports a COPY whose data would go to or come from the client. What COPY … TO STDOUT sent was thrown
	// away; COPY … FROM STDIN was ended without data. [binds.Engine.Native] has connections for pgdriver.CopyTo and CopyFrom.
	ErrCopy = errors.New("pgbind: COPY with this program's own data needs a connection of Native(): use pgdriver.CopyFrom or pgdriver.CopyTo with it")
	// ErrNoTLS reports a server that declined to encrypt. No login was sent.
	ErrNoTLS = errors.New("pgbind: the server offers no TLS: set it up there, or add sslmode=disable if the network is trusted")
)

// A CanceledError reports a statement whose context ended before its answer came. It matches the
// context's error, and the server's if there is one.
type CanceledError struct {
	// Err is context.Canceled or context.DeadlineExceeded.
	Err error
	// Answer is the server's: it stopped the statement and undid it. Nil means that no answer came
	// in time, so that the statement may have been carried out all the same.
	Answer error
}

func (e *CanceledError) Error() string {
	if e.Answer != nil {
		return fmt.Sprintf("pgbind: %v: the server stopped the statement: %v", e.Err, e.Answer)
	}
	return fmt.Sprintf("pgbind: %v: the server was told to stop, the statement's outcome is unknown", e.Err)
}

// Unwrap returns the context's error and the server's answer.
func (e *CanceledError) Unwrap() []error {
	if e.Answer == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Answer}
}

// A lostError is the end of a connection, in whatever words, before the server had answered in full.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// An idleError is the end of a session that was idle for too long, said instead of an answer.
type idleError struct{ err error }

func (e *idleError) Error() string { return e.err.Error() }

// Unwrap returns the server's answer, and what makes database/sql take another connection.
func (e *idleError) Unwrap() []error { return []error{e.err, driver.ErrBadConn} }

// An endedError is the end of a session that was seen before the next statement was sent.
type endedError struct {
	said string // the server's last words, "" if there were none
	err  error  // how the end was noticed, nil if it was known
}

func (e *endedError) Error() string {
	switch {
	case e.said != "":
		return "pgbind: the server has ended the session: " + e.said
	case e.err == nil || e.err == errClosing:
		return "pgbind: the session has ended"
	}
	return fmt.Sprintf("pgbind: the session has ended: %v", e.err)
}

// Unwrap returns what makes database/sql discard the connection.
func (e *endedError) Unwrap() error { return driver.ErrBadConn }

// errClosing reports a server that says goodbye, or an answer out of turn, on an idle connection.
var errClosing = errors.New("pgbind: the server ended the idle connection")

var (
	// errLSN reports a text that is no log sequence number.
	errLSN = errors.New(`pgbind: a position has the form "0/5000028", in upper-case hexadecimal digits`)
	// errProbe reports a server that answers otherwise than PostgreSQL.
	errProbe = errors.New("the answer is not PostgreSQL's")
)

// errLockPooled reports a session that is not the one that took a named lock.
var errLockPooled = errors.New("pgbind: a pooler gives each transaction another session, where a lock keeps nobody out: " +
	"lock past it, or let it pool sessions")

// A PositionError reports a server that refuses to tell how far it is: no freshness can be proved
// of it, or by it. Some services withhold the functions, to others they mean nothing.
type PositionError struct {
	Err error // the server's answer
}

func (e *PositionError) Error() string {
	return fmt.Sprintf("pgbind: the server does not tell its position: GRANT EXECUTE to the login on pg_control_system(), "+
		"pg_control_checkpoint() and pg_control_recovery(), if these are what it refuses: %v", e.Err)
}

// Unwrap returns the server's answer.
func (e *PositionError) Unwrap() error { return e.Err }
