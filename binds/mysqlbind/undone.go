package mysqlbind

import (
	"context"
	"errors"

	"github.com/go-sql-driver/mysql"
)

// Errors at which InnoDB rolls back the whole transaction, whatever the session's settings are.
const (
	errDeadlock   = 1213 // ER_LOCK_DEADLOCK
	errLockTable  = 1206 // ER_LOCK_TABLE_FULL: no room for more locks
	errRowChanged = 1020 // ER_CHECKREAD: MariaDB with innodb_snapshot_isolation

	// Members of a MySQL group also give the first one to a statement that another member's transaction is in conflict with.
	errDuringCommit       = 1180 // ER_ERROR_DURING_COMMIT
	errRolledBackAtCommit = 3101 // ER_TRANSACTION_ROLLBACK_DURING_COMMIT
)

// undoesAll reports whether the number alone says that the server has rolled back the whole transaction.
func undoesAll(number uint16) bool {
	switch number {
	case errDeadlock, errLockTable, errRowChanged, errDuringCommit, errRolledBackAtCommit:
		return true
	}
	return false
}

const errLockWait = 1205 // ER_LOCK_WAIT_TIMEOUT: the statement alone, but for innodb_rollback_on_timeout

const (
	whyTimeout = "innodb_rollback_on_timeout is on"
	whyChecks  = "MariaDB discards it at an INSERT that fails while unique_checks and foreign_key_checks are off"
)

// undo notes an error at which the server has rolled back the open transaction. It says nothing of that itself, and
// would carry out what follows outside of any transaction, or in a new one that COMMIT then ends with success.
//
// Where the number of the error does not tell, the session is asked for the setting that does: one round trip, after
// an error in a transaction.
func (c *conn) undo(ctx context.Context, query string, err error) error {
	var answer *mysql.MySQLError
	if c.txCtx == nil || c.undone != nil || !errors.As(err, &answer) {
		return err
	}
	if undoesAll(answer.Number) {
		c.undone = err
		return err
	}
	var why string
	if answer.Number == errLockWait && c.tells(ctx, "SELECT @@innodb_rollback_on_timeout") {
		why = whyTimeout
	}
	if why == "" && c.session.mariaDB && (setsForItself(query) || c.tells(ctx, "SELECT @@unique_checks = 0 AND @@foreign_key_checks = 0")) {
		why = whyChecks
	}
	if why == "" {
		return err
	}
	c.undone = err
	return &RolledBackError{Err: err, why: why}
}

// tells reports whether the session answers 1, or does not answer: the transaction is lost then, too.
func (c *conn) tells(ctx context.Context, query string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	row, err := oneRow(ctx, c.native, query)
	return err != nil || row[0] == "1"
}

// setsForItself reports whether a statement has settings of its own, by MariaDB's SET STATEMENT … FOR, among them
// those that are asked for: they are not the session's any more.
func setsForItself(query string) bool {
	l := lexer{text: query}
	if !is(l.word(), "SET") || !is(l.word(), "STATEMENT") {
		return false
	}
	for w := l.word(); w != "" && !is(w, "FOR"); w = l.word() {
		if is(w, "unique_checks") || is(w, "foreign_key_checks") {
			return true
		}
	}
	return false
}

// gone says why nothing can be done any more in the open transaction.
func (c *conn) gone() error {
	if c.undone == nil {
		return nil
	}
	return &RolledBackError{Err: c.undone}
}
