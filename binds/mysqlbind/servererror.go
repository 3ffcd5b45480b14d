package mysqlbind

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.ErrorReader = Driver{}

// causes are by the numbers of MySQL's "Server Error Message Reference" and MariaDB's "MariaDB Error Codes".
var causes = map[uint16]binds.Cause{
	1022: binds.UniqueViolation, // ER_DUP_KEY
	1062: binds.UniqueViolation, // ER_DUP_ENTRY
	1169: binds.UniqueViolation, // ER_DUP_UNIQUE
	1586: binds.UniqueViolation, // ER_DUP_ENTRY_WITH_KEY_NAME

	1216: binds.ForeignKeyViolation, // ER_NO_REFERENCED_ROW
	1217: binds.ForeignKeyViolation, // ER_ROW_IS_REFERENCED
	1451: binds.ForeignKeyViolation, // ER_ROW_IS_REFERENCED_2
	1452: binds.ForeignKeyViolation, // ER_NO_REFERENCED_ROW_2

	1048: binds.NotNullViolation, // ER_BAD_NULL_ERROR
	1263: binds.NotNullViolation, // ER_WARN_NULL_TO_NOTNULL
	1364: binds.NotNullViolation, // ER_NO_DEFAULT_FOR_FIELD

	3819: binds.CheckViolation, // ER_CHECK_CONSTRAINT_VIOLATED: MySQL
	4025: binds.CheckViolation, // ER_CONSTRAINT_FAILED: MariaDB

	1205: binds.LockNotAvailable, // ER_LOCK_WAIT_TIMEOUT; MariaDB's answer to NOWAIT, too
	3572: binds.LockNotAvailable, // ER_LOCK_NOWAIT
	1213: binds.Deadlock,         // ER_LOCK_DEADLOCK

	1020: binds.SerializationFailure, // ER_CHECKREAD: MariaDB with innodb_snapshot_isolation
	3101: binds.SerializationFailure, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: MySQL group replication

	1290: binds.ReadOnlyRefusal, // ER_OPTION_PREVENTS_STATEMENT, see isReadOnlyServer
	1792: binds.ReadOnlyRefusal, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
	1836: binds.ReadOnlyRefusal, // ER_READ_ONLY_MODE

	1969: binds.StatementTimeout, // ER_STATEMENT_TIMEOUT: MariaDB's max_statement_time
	3024: binds.StatementTimeout, // ER_QUERY_TIMEOUT: MySQL's max_execution_time
}

// ReadError says what an answer of the server means. Constraint, table and columns stand in the message, in a form that is that of
// English (lc_messages); they are empty where it is not as expected.
func (Driver) ReadError(err error) *binds.ServerError {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return nil
	}
	e := &binds.ServerError{Cause: causes[answer.Number], Code: strconv.Itoa(int(answer.Number)), Err: answer}
	switch {
	case answer.Number == 1290 && !isReadOnlyServer(answer):
		e.Cause = binds.OtherCause
	case answer.Number == errDuringCommit && isConflict(answer):
		e.Cause = binds.SerializationFailure
	}
	readNames(e, answer.Message)
	return e
}

// readNames finds the names in a message. Values of the row may stand before them, and hold anything.
func readNames(e *binds.ServerError, message string) {
	switch e.Cause {
	case binds.UniqueViolation: // Duplicate entry '…' for key 'users.email'; MariaDB tells no table
		const before = "' for key '"
		if i := strings.LastIndex(message, before); i >= 0 {
			e.Constraint = strings.TrimSuffix(message[i+len(before):], "'")
			if table, key, ok := strings.Cut(e.Constraint, "."); ok && !strings.Contains(key, ".") {
				e.Table, e.Constraint = table, key
			}
		}
	case binds.ForeignKeyViolation: // … fails (`shop`.`orders`, CONSTRAINT `name` FOREIGN KEY (`a`, `b`) REFERENCES …
		_, rest, ok := strings.Cut(message, "(`")
		if !ok {
			return
		}
		l := lexer{text: "`" + rest}
		if e.Table = l.qualified(); l.word() != "CONSTRAINT" {
			return
		}
		e.Constraint, _ = l.next()
		if l.word() != "FOREIGN" || l.word() != "KEY" {
			return
		}
		for {
			name, quoted := l.next()
			if !quoted {
				return
			}
			e.Columns = append(e.Columns, name)
		}
	case binds.NotNullViolation: // Column 'name' cannot be null; Field 'name' doesn't have a default value
		if _, rest, ok := strings.Cut(message, " '"); ok {
			if i := strings.LastIndex(rest, "' "); i >= 0 {
				name, _, _ := strings.Cut(rest[:i+1], "' ")
				e.Columns = []string{strings.TrimSuffix(name, "'")}
			}
		}
	case binds.CheckViolation: // Check constraint 'name' is violated.; CONSTRAINT `name` failed for `shop`.`orders`
		l := lexer{text: message}
		for l.at < len(message) {
			name, quoted := l.next()
			if quoted {
				e.Constraint = name
				break
			}
		}
		if l.word() == "failed" && l.word() == "for" {
			e.Table = l.qualified()
		}
	}
}

// qualified reads a name that may have a schema before it, and returns it without that.
func (l *lexer) qualified() string {
	name, _ := l.next()
	if strings.HasPrefix(l.text[l.at:], ".`") {
		name, _ = l.next()
	}
	return name
}
