package models

import (
	"errors"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

const (
	// rowChanged is MariaDB's answer to a write or a lock of a row that has changed since the transaction's first
	// plain read: innodb_snapshot_isolation, which is on since 11.6.2. At READ COMMITTED it never comes.
	rowChanged = 1020
	deadlock   = 1213
	lockTable  = 1206 // InnoDB has no room for more locks
)

// mysqlError returns the number of a server's error, 0 if there is none. The drivers' error is known by
// its field, since this package links no driver.
func mysqlError(db bun.IDB, err error) uint64 {
	if db.Dialect().Name() != dialect.MySQL {
		return 0
	}
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct {
			continue
		}
		if n := v.FieldByName("Number"); n.IsValid() && n.CanUint() {
			return n.Uint()
		}
	}
	return 0
}

// serializationFailure is the SQLSTATE of a transaction that others have got in the way of, on all databases: in a
// snapshot a row that has changed since, and MySQL's and MariaDB's deadlock, by which Galera also tells a conflict.
const serializationFailure = "40001"

// refusedAsStale reports whether the server refused to write a row because of what others have written.
func refusedAsStale(db bun.IDB, err error) bool {
	if n := mysqlError(db, err); n != 0 {
		return n == rowChanged || n == deadlock
	}
	var field interface{ Field(byte) string } // pgdriver's
	var state interface{ SQLState() string }  // pgx's, and lib/pq's
	switch {
	case errors.As(err, &field):
		return field.Field('C') == serializationFailure
	case errors.As(err, &state):
		return state.SQLState() == serializationFailure
	}
	return false
}

// endUndone ends a transaction that the server has rolled back because of err. Whoever went on with it
// would write outside of any transaction, each statement for itself; now they get database/sql's ErrTxDone.
func endUndone(db bun.IDB, err error) {
	switch mysqlError(db, err) {
	case rowChanged, deadlock, lockTable:
	default:
		return
	}
	switch tx := db.(type) {
	case bun.Tx:
		_ = tx.Tx.Rollback() // Bun's own would only go back to a savepoint, if it is one
	case *bun.Tx:
		_ = tx.Tx.Rollback()
	}
}
