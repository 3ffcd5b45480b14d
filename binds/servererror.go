package binds

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// A Cause is what a server's error means, the same for every kind of database.
type Cause uint8

const (
	// OtherCause is any error of the server that is none of the below.
	OtherCause Cause = iota
	// UniqueViolation is a row whose primary or unique key exists.
	UniqueViolation
	// ForeignKeyViolation is a row that refers to none, or a row that others refer to and that was to go.
	ForeignKeyViolation
	// NotNullViolation is a NULL where none may be, or no value for a column that has no default.
	NotNullViolation
	// CheckViolation is a row that a CHECK constraint refuses.
	CheckViolation
	// ExclusionViolation is a row that PostgreSQL's EXCLUDE constraint refuses.
	ExclusionViolation
	// LockNotAvailable is a lock that was not had at once (NOWAIT), or in time. On SQLite that of the database.
	LockNotAvailable
	// Deadlock is a transaction that waited for one that waited for it.
	Deadlock
	// SerializationFailure is a transaction that another one, committed meanwhile, has made impossible.
	SerializationFailure
	// ReadOnlyRefusal is a write in a read-only transaction or session, or on a read-only server or file. See also the [Fault] ReadOnly.
	ReadOnlyRefusal
	// StatementTimeout is a statement that ran for longer than the server lets it, not one whose context ended.
	StatementTimeout
)

var causes = [...]string{
	"server error", "unique violation", "foreign key violation", "not-null violation", "check violation", "exclusion violation",
	"lock not available", "deadlock", "serialization failure", "refused as read-only", "statement timeout",
}

// String returns the cause in words: "unique violation".
func (c Cause) String() string {
	if int(c) < len(causes) {
		return causes[c]
	}
	return causes[OtherCause]
}

// IsViolation reports whether the cause is a constraint that a row does not meet.
func (c Cause) IsViolation() bool { return c >= UniqueViolation && c <= ExclusionViolation }

// A ServerError is an error of the server by its meaning. What the server does not tell is empty.
type ServerError struct {
	Cause Cause
	// Code is the server's own: an SQLSTATE of PostgreSQL, a number of MySQL's and MariaDB's, an extended result code of SQLite's.
	Code string
	// Constraint is its name: that of the key on MySQL and MariaDB (PRIMARY for the primary one). SQLite tells it for CHECK only.
	Constraint string
	// Table is the one that the row was for, without its schema; of a foreign key the one that has it.
	Table string
	// Columns are those of the constraint, where the server tells them: one for NOT NULL; those of a unique key on SQLite, those of
	// a foreign key on MySQL and MariaDB.
	Columns []string
	// Err is the driver's own error, which the server's text is in: MySQL's and MariaDB's has values of the row.
	Err error
}

// Error returns the meaning, and no value of the row.
func (e *ServerError) Error() string {
	text := e.Cause.String()
	for _, part := range [][2]string{{" of constraint ", e.Constraint}, {" on table ", e.Table}, {", columns ", strings.Join(e.Columns, ", ")}} {
		if part[1] != "" {
			text += part[0] + part[1]
		}
	}
	return text + " (" + e.Code + ")"
}

// Unwrap returns the driver's own error.
func (e *ServerError) Unwrap() error { return e.Err }

// An ErrorReader is a [Driver] that knows what its server's errors mean.
//
// ReadError is given errors wrapped or not, and returns nil for what is no answer of its server. It must be safe for concurrent use.
type ErrorReader interface {
	ReadError(err error) *ServerError
}

// ReadError returns what err means, if it is, or wraps, a server's answer that a driver of the registry knows; else nil.
func (ds *Drivers) ReadError(err error) *ServerError {
	var read *ServerError
	if err == nil || errors.As(err, &read) {
		return read
	}
	ds.mu.RLock()
	defer ds.mu.RUnlock()
	for _, scheme := range slices.Sorted(maps.Keys(ds.byScheme)) {
		if d, ok := ds.byScheme[scheme].(ErrorReader); ok {
			if read := d.ReadError(err); read != nil {
				return read
			}
		}
	}
	return nil
}

// ReadError returns what err means, if it is, or wraps, an answer of the engine's server; else nil.
func (e *Engine) ReadError(err error) *ServerError {
	if d, ok := e.driver.(ErrorReader); ok && err != nil {
		return d.ReadError(err)
	}
	return nil
}

// ReadError returns what an error means that a server has answered, by the drivers of [Default]; nil if err is, and wraps, none.
// It works on what comes from builders, transactions and the bare *sql.DB alike.
func ReadError(err error) *ServerError { return Default.ReadError(err) }

// Violation is [ReadError] for constraints alone: nil for every other error.
//
//	if v := binds.Violation(err); v != nil && v.Cause == binds.UniqueViolation {
//		return fmt.Errorf("%s is taken", v.Constraint)
//	}
func Violation(err error) *ServerError {
	if read := ReadError(err); read != nil && read.Cause.IsViolation() {
		return read
	}
	return nil
}

// Is reports whether err is, or wraps, a server's error with this cause: binds.Is(err, binds.LockNotAvailable).
func Is(err error, cause Cause) bool {
	read := ReadError(err)
	return read != nil && read.Cause == cause
}
