package pgbind

import (
	"errors"
	"strings"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.ErrorReader = Driver{}

// causes are by SQLSTATE, manual appendix A. Codes that need a closer look are in ReadError.
var causes = map[string]binds.Cause{
	"23505":              binds.UniqueViolation,
	"23503":              binds.ForeignKeyViolation,
	"23001":              binds.ForeignKeyViolation, // restrict_violation: ON DELETE RESTRICT, from PostgreSQL 18 on
	"23502":              binds.NotNullViolation,
	"23514":              binds.CheckViolation,
	"23P01":              binds.ExclusionViolation,
	codeLockNotAvailable: binds.LockNotAvailable,
	codeDeadlock:         binds.Deadlock,
	codeSerialization:    binds.SerializationFailure,
	codeReadOnly:         binds.ReadOnlyRefusal,
	codeQueryCanceled:    binds.StatementTimeout,
	"25P04":              binds.StatementTimeout, // transaction_timeout, since PostgreSQL 17
}

// ReadError says what an answer of the server means. The server tells constraint, table and column by fields of their own
// (manual section 55.8).
func (Driver) ReadError(err error) *binds.ServerError {
	var answer pgdriver.Error
	if !errors.As(err, &answer) {
		return nil
	}
	e := &binds.ServerError{
		Cause: causes[answer.Field('C')], Code: answer.Field('C'),
		Constraint: answer.Field('n'), Table: answer.Field('t'), Err: answer,
	}
	if c := answer.Field('c'); c != "" {
		e.Columns = []string{c}
	}
	var canceled *CanceledError
	switch {
	case e.Code == codeQueryCanceled && (errors.As(err, &canceled) || strings.Contains(answer.Field('M'), "user request")),
		e.Code == codeSerialization && isRecoveryConflict(answer):
		e.Cause = binds.OtherCause
	}
	return e
}
