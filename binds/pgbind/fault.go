package pgbind

import (
	"errors"
	"strings"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

// SQLSTATE codes, manual appendix A.
const (
	codeReadOnly            = "25006" // read_only_sql_transaction
	codeSerialization       = "40001" // serialization_failure; a standby's recovery conflict, too
	codeDeadlock            = "40P01" // deadlock_detected
	codeCompletionUnknown   = "40003" // statement_completion_unknown
	codeResolutionUnknown   = "08007" // transaction_resolution_unknown
	codeTooManyConnections  = "53300" // too_many_connections
	codeQueryCanceled       = "57014" // query_canceled: a request, or statement_timeout
	codeNotSupported        = "0A000" // feature_not_supported
	codeNotInState          = "55000" // object_not_in_prerequisite_state
	codeInternal            = "XX000" // internal_error
	codeCannotConnectNow    = "57P03" // cannot_connect_now: starting up or shutting down
	codeTransactionTimeout  = "25P04" // transaction_timeout, since PostgreSQL 17
	codeIdleInTransaction   = "25P03" // idle_in_transaction_session_timeout
	codeIdleSession         = "57P05" // idle_session_timeout
	severityError           = "ERROR"
	conflictWithRecovery    = "conflict with recovery"
	routineProcessInterrupt = "ProcessInterrupts"
	routineRecoveryConflict = "ProcessRecoveryConflictInterrupt" // its place in PostgreSQL 16 to 18
)

// Classify says what an error of this package, pgdriver or the server proves.
//
// An answer of severity ERROR means that the server undid the statement: Refused or a narrower class.
// This holds for COMMIT as well: what fails before the commit record is written rolls back, and
// what fails after it is no ERROR but ends the session. FATAL and PANIC end the session; a
// statement that was under way may have been carried out, so they are Unknown, and NotSent only
// inside a [binds.ConnectError]. Three limits of the server's settings end one session alone.
// Transaction_timeout (25P04) is SessionEnded: it comes at any time. Idle_session_timeout (57P05) and
// idle_in_transaction_session_timeout (25P03) are NotSent, for they come between statements (PostgresMain looks at
// them before it does what it has read). The error of the former matches driver.ErrBadConn: database/sql
// sends the statement over another connection.
//
// An ERROR undoes one transaction: of several statements in one text, or of a procedure that
// commits by itself, earlier transactions stand.
func (Driver) Classify(err error) binds.Fault {
	var answer pgdriver.Error
	var lost *lostError
	var notRun *notRunError
	var byDefault *binds.ReadOnlyDefaultError
	switch {
	case errors.As(err, &byDefault):
		return binds.Refused
	case errors.As(err, &notRun):
		if errors.As(err, &answer) {
			return binds.NotSent
		}
		return binds.Canceled
	case errors.As(err, &answer):
		return classify(err, answer)
	case errors.Is(err, ErrRolledBack), errors.Is(err, ErrSerializableOnStandby), errors.Is(err, ErrRowsOpen):
		return binds.Refused
	case errors.As(err, &lost):
		return binds.Unknown
	}
	return binds.ClassifyCommon(err)
}

// codeOf returns the SQLSTATE of a server's answer, or "".
func codeOf(err error) string {
	var answer pgdriver.Error
	if !errors.As(err, &answer) {
		return ""
	}
	return answer.Field('C')
}

func classify(err error, answer pgdriver.Error) binds.Fault {
	var connect *binds.ConnectError
	connecting := errors.As(err, &connect)
	switch code := answer.Field('C'); {
	case code == codeCannotConnectNow, code == codeTooManyConnections:
		return binds.Busy
	case connecting:
		return binds.NotSent
	case code == codeIdleSession, code == codeIdleInTransaction:
		return binds.NotSent
	case code == codeTransactionTimeout:
		return binds.SessionEnded
	case code == codeSerialization && isRecoveryConflict(answer):
		return binds.RecoveryConflict // a read, whatever became of the session
	case answer.Field('V') != severityError, code == codeCompletionUnknown, code == codeResolutionUnknown:
		return binds.Unknown
	case code == codeReadOnly, isRefusalOfStandby(answer):
		return binds.ReadOnly
	case code == codeSerialization, code == codeDeadlock, code == codeLockNotAvailable:
		return binds.Retryable
	case code == codeQueryCanceled:
		return binds.Canceled
	}
	return binds.Refused
}

// isRecoveryConflict tells the one serialization failure that only a standby has. The message may be
// in the server's language; the routine's name is not.
func isRecoveryConflict(answer pgdriver.Error) bool {
	switch answer.Field('R') {
	case routineProcessInterrupt, routineRecoveryConflict:
		return true
	}
	return strings.Contains(answer.Field('M'), conflictWithRecovery)
}

// standbyRoutines refuse on a standby, by codes that others have, too, and for no other reason. All of them were seen on
// PostgreSQL 12 to 18.
var standbyRoutines = map[string]string{
	"get_relation_info":         codeNotSupported, // a table that is unlogged
	"LockAcquireExtended":       codeNotInState,   // a lock that a standby does not have, lo_unlink before 16
	"pg_current_wal_lsn":        codeNotInState,
	"pg_current_wal_insert_lsn": codeNotInState,
	"pg_current_wal_flush_lsn":  codeNotInState,
	"pg_walfile_name":           codeNotInState,
	"pg_walfile_name_offset":    codeNotInState,
	"pg_switch_wal":             codeNotInState,
}

// isRefusalOfStandby recognises a standby's refusals under other codes than 25006. They come before anything is done, as that
// does. The message may be in the server's language, but for internal errors (pg_logical_emit_message; lo_create before 16);
// the routine's name is not.
func isRefusalOfStandby(answer pgdriver.Error) bool {
	code := answer.Field('C')
	switch code {
	case codeNotSupported, codeNotInState, codeInternal:
	default:
		return false
	}
	message := answer.Field('M')
	return strings.HasSuffix(message, "during recovery") || strings.HasSuffix(message, "recovery is in progress") ||
		standbyRoutines[answer.Field('R')] == code
}
