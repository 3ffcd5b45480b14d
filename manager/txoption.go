package manager

import (
	"database/sql"

	"github.com/bindery-go/bindery/router"
)

// A TxOption says how a transaction runs.
type TxOption func(*router.TxOptions)

func txOptions(opts []TxOption) router.TxOptions {
	var o router.TxOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// Isolation asks for an isolation level. Without it the server's own holds. A level that the server
// does not have is an error. In a nested InTx it must be that of the transaction.
func Isolation(level sql.IsolationLevel) TxOption {
	return func(o *router.TxOptions) { o.Isolation = level }
}

// ReadOnly makes a transaction that only reads, and sees one state of the database from its first
// statement to its end (REPEATABLE READ, unless [Isolation] says otherwise). It runs where a plain read
// of the same context would: on a reader that is fresh enough for the session, for MaxStale and for
// read_your_writes, or else on the writer, if that may serve reads. With sql.LevelSerializable it runs
// on the writer. A statement that is not a plain read is a [*router.ReadOnlyTxError].
//
// On PostgreSQL it takes what ends with the transaction, too: SET LOCAL and SET TRANSACTION, but READ WRITE; set_config('name', …, true);
// DECLARE of a cursor without hold, FETCH, MOVE and CLOSE of one. That is how row-level security is told whose rows are read:
//
//	m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
//		if _, err := m.NewRaw(Accounts{}, "SELECT set_config('app.tenant', ?, true)", tenant).Exec(ctx); err != nil {
//			return err
//		}
//		return m.NewSelect(&invoices).Scan(ctx)
//	}, manager.ReadOnly())
//
// MySQL, MariaDB and SQLite have no setting that ends with a transaction.
//
// In a nested InTx it is an error unless the transaction is read-only.
func ReadOnly() TxOption { return func(o *router.TxOptions) { o.ReadOnly = true } }

// Retry runs the whole function again, up to n more times and each time in a new transaction, after a
// serialization failure, a deadlock, or a lock that was not had at once or in time: SQLSTATE 40001, 40P01 and 55P03
// (PostgreSQL's manual, section 13.5), errors 1213, 1205, 3572 and 1020 of MySQL and MariaDB, SQLITE_BUSY. It
// waits a little longer each time, never beyond the context's deadline. The error must reach InTx: wrap
// it by %w, or return it as it is.
//
// The function must be safe to repeat: what it does outside the transaction, to variables, other
// services or other binds, it may do n+1 times. Without Retry it runs once. A COMMIT whose outcome is
// unknown is never repeated. In a nested InTx it is an error: the transaction as a whole runs again.
func Retry(n int) TxOption { return func(o *router.TxOptions) { o.Retry = n } }

// Name names the transaction in errors, and its savepoint in the server's logs if it is a nested one. It
// holds letters, digits, '_' and '-', at most 40 of them, and need not be unique.
func Name(name string) TxOption { return func(o *router.TxOptions) { o.Name = name } }
