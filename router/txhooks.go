package router

import (
	"context"
	"database/sql"
	"sync"

	"github.com/uptrace/bun"
)

// HookBy has the statements by which [Router.InTx] begins and ends transactions and savepoints pass through the query hooks of
// Bun DBs, as those of Bun's own transactions do: db's for the writer, whose pool is that of [Router.Pool], and for a reader
// those of the DB that of makes for its pool, once. It must be called before the router is used.
func (r *Router) HookBy(db *bun.DB, of func(pool *sql.DB) *bun.DB) {
	r.hooked = db
	for _, reader := range r.readers {
		reader.hooked = sync.OnceValue(func() *bun.DB { return of(reader.db) })
	}
}

// hooksOf returns the Bun DB that begins transactions on reader, nil: on the writer. It returns nil if nobody was named.
func (r *Router) hooksOf(reader *Reader) *bun.DB {
	switch {
	case reader == nil:
		return r.hooked
	case reader.hooked != nil:
		return reader.hooked()
	}
	return nil
}

// beginOn begins t on the pool of its engine.
func (t *openTx) beginOn(ctx context.Context, pool *sql.DB) (*sql.Tx, error) {
	t.on(pool)
	opts := &sql.TxOptions{Isolation: t.opts.isolation(), ReadOnly: t.opts.ReadOnly}
	db := t.router.hooksOf(t.reader)
	if t.hooked = db != nil; !t.hooked {
		return pool.BeginTx(ctx, opts)
	}
	var err error
	t.bun, err = db.BeginTx(ctx, opts)
	return t.bun.Tx, err
}

// commitTx, rollbackTx and exec are those of the transaction's own.

func (t *openTx) commitTx() error {
	if t.hooked {
		return t.bun.Commit()
	}
	return t.sql.Commit()
}

func (t *openTx) rollbackTx(tx *sql.Tx) error {
	if t.hooked {
		return t.bun.Rollback()
	}
	return tx.Rollback()
}

// exec runs a statement on savepoints. The turn must be held: a hook that asks the database something with the context of its event
// does so within that turn.
func (t *openTx) exec(ctx context.Context, query string) error {
	var err error
	if t.hooked {
		_, err = t.bun.ExecContext(withScope(ctx, func(s *scope) { s.turn = t }), query)
	} else {
		_, err = t.sql.ExecContext(ctx, query)
	}
	return err
}
