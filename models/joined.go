package models

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/internal/txend"
)

// runInTx runs fn in a transaction on db: a savepoint if db is a transaction, or if its statements join
// one that ctx carries, as they do inside manager.InTx. Options are for a transaction that begins.
func runInTx(ctx context.Context, db bun.IDB, opts *sql.TxOptions, fn func(ctx context.Context, db bun.IDB) error) error {
	if plain, ok := db.(*bun.DB); ok {
		joined, err := txend.Nest(ctx, plain.DB, func(ctx context.Context) error { return fn(ctx, db) })
		if joined {
			return err
		}
	}
	err := db.RunInTx(ctx, opts, func(ctx context.Context, tx bun.Tx) error { return fn(ctx, tx) })
	endUndone(db, err)
	return err
}

// inTx reports whether a statement on db is part of a transaction that goes on after it.
func inTx(ctx context.Context, db bun.IDB) bool {
	switch db := db.(type) {
	case bun.Tx, *bun.Tx:
		return true
	case *bun.DB:
		return txend.Joins(ctx, db.DB)
	}
	return false
}
