package sqlitebind

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/binds"
)

// Classify says what an error of SQLite proves, by its result code,
// https://www.sqlite.org/rescode.html:
//
//   - SQLITE_READONLY: ReadOnly.
//   - SQLITE_INTERRUPT, and a wait for a lock that its context ended: Canceled.
//   - SQLITE_BUSY and SQLITE_LOCKED: Retryable. Another transaction was in the way for longer than
//     busy_timeout, or would have deadlocked; nothing was done and the whole transaction may run
//     again. SQLITE_SCHEMA too: the statement was compiled for a table that has changed since.
//   - SQLITE_IOERR: Unknown. A COMMIT that failed so may be found done when the file is next opened.
//   - every other code: Refused. The statement did nothing.
func (*Driver) Classify(err error) binds.Fault {
	var connect *binds.ConnectError
	var interrupted *InterruptedError
	var busy *BusyError
	var e *sqlite.Error
	var several *binds.SeveralStatementsError
	switch {
	case errors.As(err, &connect):
		return binds.NotSent
	case errors.As(err, &interrupted):
		return binds.Canceled
	case errors.As(err, &busy):
		return binds.Retryable
	case errors.Is(err, ErrTxLost), errors.Is(err, errIsolation), errors.As(err, &several):
		return binds.Refused
	case errors.As(err, &e):
		return faultOf(e.Code())
	}
	return binds.ClassifyCommon(err)
}

func faultOf(code int) binds.Fault {
	switch code & 0xff { // the primary code
	case sqlite3.SQLITE_OK, sqlite3.SQLITE_ROW, sqlite3.SQLITE_DONE:
		return binds.Unclassified
	case sqlite3.SQLITE_READONLY:
		return binds.ReadOnly
	case sqlite3.SQLITE_INTERRUPT:
		return binds.Canceled
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_SCHEMA:
		return binds.Retryable
	case sqlite3.SQLITE_IOERR:
		return binds.Unknown
	}
	return binds.Refused
}
