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
	codeCannotConnectNow    = "57P03" // cannot_connect_now: starting up or shutting down
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
// inside a [binds.ConnectError].
//
// An ERROR undoes one transaction: of several statements in one text, or of a procedure that
// commits by itself, earlier transactions stand.
func (Driver) Classify(err error) binds.Fault {
	var answer pgdriver.Error
	var lost *lostError
	switch {
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
	case code == codeSerialization && isRecoveryConflict(answer):
		return binds.RecoveryConflict // a read, whatever became of the session
	case answer.Field('V') != severityError, code == codeCompletionUnknown, code == codeResolutionUnknown:
		return binds.Unknown
	case code == codeReadOnly:
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
