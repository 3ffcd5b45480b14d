package binds

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

// A Fault says what an error proves about the statement and the server. It decides what may be
// tried again, and where.
type Fault uint8

const (
	// Unclassified is an error of the caller's own or of Go: a scan, a closed pool, no rows.
	Unclassified Fault = iota
	// NotSent means that the server never saw the statement: it may be sent again, writes too.
	NotSent
	// Refused means that the server answered with an error and did nothing.
	Refused
	// Canceled means that the server stopped the statement on request and undid it.
	Canceled
	// ReadOnly means that a server or session that may not write refused to, and did nothing.
	ReadOnly
	// RecoveryConflict means that a standby gave up a read because replay needed its rows; the
	// same read may run elsewhere.
	RecoveryConflict
	// Retryable means a serialization failure, a deadlock, or a lock that was not had at once or in time: the whole
	// transaction may run again.
	Retryable
	// Busy means that the server cannot take work now: starting, stopping, or out of connections.
	Busy
	// Unknown means that the statement was or may have been sent and no answer came: it may have
	// been carried out, and must not be sent twice.
	Unknown
	// SessionEnded means that the server ended this one session for what the session did, by a limit
	// of its own such as PostgreSQL's transaction_timeout: the server is well, no other session is
	// concerned, and the same statement would come to the same end elsewhere. As with Unknown, what was
	// under way may have been carried out, and must not be sent twice.
	SessionEnded
)

// LeavesOpen reports whether the fault leaves open what became of the statement: it may have been
// carried out.
func (f Fault) LeavesOpen() bool { return f == Unknown || f == SessionEnded }

// String returns the fault's name in snake case, as logs and metrics show it.
func (f Fault) String() string {
	switch f {
	case Unclassified:
		return "unclassified"
	case NotSent:
		return "not_sent"
	case Refused:
		return "refused"
	case Canceled:
		return "canceled"
	case ReadOnly:
		return "read_only"
	case RecoveryConflict:
		return "recovery_conflict"
	case Retryable:
		return "retryable"
	case Busy:
		return "busy"
	case Unknown:
		return "unknown"
	case SessionEnded:
		return "session_ended"
	}
	return "fault(" + strconv.Itoa(int(f)) + ")"
}

// A FaultClassifier is a [Driver] that understands the errors of its server.
//
// Classify is given errors as database/sql returns them, wrapped or not, and must be safe for
// concurrent use.
type FaultClassifier interface {
	Classify(err error) Fault
}

// ClassifyCommon classifies what looks the same under every driver: connections that never came
// to be, and connections that broke. Drivers call it for what their server's codes do not tell.
func ClassifyCommon(err error) Fault {
	var connect *ConnectError
	var unsent *NotSentError
	var wait *PoolWaitError
	var op *net.OpError
	switch {
	case errors.As(err, &unsent), errors.As(err, &wait):
		return NotSent
	case err == nil, errors.Is(err, sql.ErrNoRows), errors.Is(err, sql.ErrTxDone), errors.Is(err, sql.ErrConnDone):
		return Unclassified
	case errors.As(err, &connect), errors.Is(err, driver.ErrBadConn):
		return NotSent
	case errors.As(err, &op):
		if op.Op == "dial" {
			return NotSent
		}
		return Unknown
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), isBroken(err):
		return Unknown
	}
	return Unclassified
}

// isBroken reports whether err says that a connection ended under a statement.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EPIPE)
}
