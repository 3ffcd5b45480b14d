package mysqlbind

import (
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// ReaderError reports a statement that was not sent because the server would obey it on a reader,
// although it takes the session's READ ONLY off or gets past it. [Driver.Classify] calls it
// binds.ReadOnly: nothing was done, and the writer may run it.
type ReaderError struct {
	Statement string // the kind of statement: "FLUSH"; never its text
}

func (e *ReaderError) Error() string {
	return fmt.Sprintf("mysqlbind: a reader does not run %s: run it on the writer", e.Statement)
}

// RolledBackError reports a transaction that the server has rolled back as a whole, because a statement in it had failed:
// that statement's error, where its number does not say so, and all that follows it up to COMMIT, which is not
// sent. Nothing of the transaction is left, and no savepoint: begin it anew. [Driver.Classify] calls it binds.Retryable
// if the server's answer is that, else binds.Refused.
type RolledBackError struct {
	Err error // the server's answer to the statement that failed

	why string // of a setting; "" where the number says it, or was said before
}

func (e *RolledBackError) Error() string {
	if e.why != "" {
		return fmt.Sprintf("mysqlbind: the whole transaction is rolled back, since %s: %v", e.why, e.Err)
	}
	return fmt.Sprintf("mysqlbind: the server has rolled back the transaction, begin it anew: %v", e.Err)
}

// Unwrap returns the server's answer.
func (e *RolledBackError) Unwrap() error { return e.Err }

// An idleError is the end of a session that was idle for too long, said instead of an answer.
type idleError struct{ err error }

func (e *idleError) Error() string { return e.err.Error() }

// Unwrap returns the server's answer, and what makes database/sql take another connection.
func (e *idleError) Unwrap() []error { return []error{e.err, driver.ErrBadConn} }

// isIdleEnd recognises MySQL's 4031, ER_CLIENT_INTERACTION_TIMEOUT. MariaDB closes the connection without a word.
func isIdleEnd(err error) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && answer.Number == 4031
}

// A commitCutError is the answer to a COMMIT that a server gives as it stops. It does not tell what became of the COMMIT.
type commitCutError struct{ err error }

func (e *commitCutError) Error() string { return e.err.Error() }
func (e *commitCutError) Unwrap() error { return e.err }

// errSessionEnded is the end of a session that was seen before the next statement was sent.
var errSessionEnded error = new(endedError)

type endedError struct{}

func (*endedError) Error() string {
	return "mysqlbind: the server or the network has ended the session"
}

// Unwrap returns what makes database/sql discard the connection.
func (*endedError) Unwrap() error { return driver.ErrBadConn }

// Doubts about a server's position.
var (
	errNoBinaryLog = errors.New("mysqlbind: the server has no binary log (log_bin), so its writes have no position: start it with log_bin")
	errNotStrict   = errors.New("mysqlbind: gtid_strict_mode is off, so a position may go back and proves nothing: SET GLOBAL gtid_strict_mode = 1, and in the server's configuration")
	errNoGTIDs     = errors.New("mysqlbind: gtid_mode is not ON, so positions prove nothing: set gtid_mode = ON and enforce_gtid_consistency = ON on all servers")
	errProduct     = errors.New("mysqlbind: the server is neither MariaDB 10.6 nor MySQL 8 or newer, or a proxy drops comments that are code")
)

// PositionError reports a server that refuses to tell how far it is, or does not know: no freshness
// can be proved of it, or by it.
type PositionError struct {
	Err error // the reason, or the server's answer
}

func (e *PositionError) Error() string {
	return fmt.Sprintf("mysqlbind: the server does not tell its position: %v", e.Err)
}

// Unwrap returns the reason.
func (e *PositionError) Unwrap() error { return e.Err }

var (
	// errLockNull reports a GET_LOCK that the server gave up: an administrator's KILL QUERY gives no error.
	errLockNull = errors.New("mysqlbind: the server gave up waiting for the lock: the wait was killed, or it is out of memory")
	// errLockGone reports a lock that is another session's by now, or nobody's.
	errLockGone = errors.New("mysqlbind: the session does not hold the lock: something released it, or a proxy gives statements another session")
)

// PacketError reports a packet of a login that is shorter than any server's, or without an end where one belongs: the server is no
// MySQL or MariaDB server, or a broken one. The connection is closed. It holds nothing of what the server said.
type PacketError struct {
	Packet string // "greeting", "answer to the login"
}

func (e *PacketError) Error() string {
	return "mysqlbind: the server does not speak as MySQL and MariaDB do: its " + e.Packet + " is cut short"
}
