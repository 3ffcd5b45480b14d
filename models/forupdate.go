package models

import (
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"
)

// A RowLock says more of a locking read, see [ForUpdate].
type RowLock struct {
	noWait, skipLocked bool
	of                 []string
}

// NoWait has a locking read fail at once where a row is locked by another transaction: binds.LockNotAvailable.
var NoWait = RowLock{noWait: true}

// SkipLocked has a locking read leave out rows that another transaction has locked.
var SkipLocked = RowLock{skipLocked: true}

// Of has a locking read lock the rows of these tables alone, which the query names so: by their aliases. MariaDB has no such
// clause and would lock those of the other tables, too: there it is an error.
func Of(aliases ...string) RowLock { return RowLock{of: aliases} }

// ForUpdate makes q a locking read: until its transaction ends, nobody else changes or locks the rows that it gives. It belongs into a
// transaction, for otherwise the locks are gone with the statement. It goes to the writer.
//
// On SQLite it adds nothing to the query, whatever the options: a transaction that InTx begins has the only lock there is, that of the whole database, so
// that no row is ever locked by another. It needs PostgreSQL 9.5, MySQL 8.0.1 or MariaDB 10.6 where there are options.
// What the database cannot do is an error of the query.
func ForUpdate(q *bun.SelectQuery, options ...RowLock) *bun.SelectQuery {
	return lockRows(q, "UPDATE", options)
}

// ForShare is [ForUpdate] for a lock that others may share: nobody changes the rows. On MariaDB, whose LOCK IN SHARE MODE Bun cannot
// write, it is ForUpdate: nobody changes the rows, and others wait who would have shared the lock.
func ForShare(q *bun.SelectQuery, options ...RowLock) *bun.SelectQuery {
	return lockRows(q, "SHARE", options)
}

func lockRows(q *bun.SelectQuery, strength string, options []RowLock) *bun.SelectQuery {
	var lock RowLock
	for _, o := range options {
		lock.noWait, lock.skipLocked = lock.noWait || o.noWait, lock.skipLocked || o.skipLocked
		lock.of = append(lock.of, o.of...)
	}
	if lock.noWait && lock.skipLocked {
		return q.Err(errors.New("models: a locking read either fails at locked rows (NoWait) or leaves them out (SkipLocked)"))
	}
	db := q.DB()
	isMariaDB := db.Dialect().Name() == dialect.MySQL && db.HasFeature(feature.DeleteReturning)
	var clause string
	var args []any
	switch db.Dialect().Name() {
	case dialect.SQLite:
		return q
	case dialect.PG, dialect.MySQL:
	default:
		return q.Err(fmt.Errorf("models: locking reads of %v are not known", db.Dialect().Name()))
	}
	for i, alias := range lock.of {
		if isMariaDB {
			return q.Err(errors.New("models: MariaDB has no FOR UPDATE OF, and locks the rows of every table of the query: leave models.Of out, or lock by a query of that table alone"))
		}
		clause += map[bool]string{true: " OF ?", false: ", ?"}[i == 0]
		args = append(args, bun.Ident(alias))
	}
	switch {
	case lock.noWait:
		clause += " NOWAIT"
	case lock.skipLocked:
		clause += " SKIP LOCKED"
	}
	if isMariaDB {
		strength = "UPDATE"
	}
	return q.For(strength+clause, args...)
}
