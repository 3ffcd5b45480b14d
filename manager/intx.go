package manager

import (
	"context"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// InTx runs fn in a transaction on the bind that b names, and commits if it returns nil. If it returns
// an error, the transaction is rolled back and that error is returned, joined with what went wrong with
// the rollback, if anything did. If it panics, the transaction is rolled back and the panic goes on.
//
// The context that fn is given carries the transaction. Every query of that bind which is given the
// context, or one made from it, is part of the transaction: those of the manager's builders and of
// the bind's DB, Writer and Reader, relations, Count, Exists and ScanAndCount, from whichever
// goroutine. They run one at a time. What goes past the builders, the DB's own ExecContext,
// QueryContext, BeginTx, Conn and Prepare, is a [*router.PastTxError], except on Native, which is no
// part of any transaction. After fn has returned, the use of its context is a [*router.TxDoneError].
//
// InTx inside fn, with its context and the same bind, is a savepoint: if it fails, what it did is undone
// alone. Several goroutines' savepoints in one transaction take turns, and queries with the outer
// context wait for them, at most ten seconds: inside a nested fn use the context that it is given.
//
// A query on another bind's model runs outside the transaction, and the router's Explain shows it; a
// write there is a [*router.CrossBindWriteError] unless that bind has a transaction of its own in the
// context, or router.AllowCrossBind was asked for.
//
// Bun's query hooks see BEGIN, COMMIT, ROLLBACK and the statements on savepoints as they see those of Bun's own transactions, with
// errors and times; the context that BEGIN's hooks return reaches fn. A hook that was added to DB itself sees
// transactions on the writer, one of [WithQueryHook] those on readers, too.
//
// Nothing is retried or moved to another server inside a transaction; see [Retry] for the whole. The
// errors of COMMIT are a [*router.TxAbortedError] (rolled back, for instance because a statement had
// failed and fn returned nil all the same), an error that matches router.ErrOutcomeUnknown (the answer
// did not come), and a [*router.UnavailableError]. A nil fn is [router.ErrNilFunc].
//
// A query inside fn that is given ctx, the outer context, by mistake is not part of the transaction. It waits for another connection; where
// transactions have them all, for ever or until its deadline, a [*router.NotSentError] that says so. After five seconds
// the log does.
func (m *DBManager) InTx(ctx context.Context, b binds.Bound, fn func(ctx context.Context) error, opts ...TxOption) error {
	bind, release, err := m.hold(ctx, b)
	if err != nil {
		return err
	}
	defer release()
	return bind.router.InTx(ctx, txOptions(opts), fn)
}

// InTxAll runs fn in one transaction on each of bounds, all carried by its context. They begin in the
// order of the binds' keys, and are committed one after the other in the order of bounds.
//
// It is not atomic: no two databases commit together. If fn fails, all are rolled back. If a COMMIT
// fails, those that were committed before it stay, and the others are rolled back; a
// [*router.PartialCommitError] says which are which. If nothing was committed, the error is that of the
// COMMIT alone. Put first what may stand alone, such as the record of an intent, and last what must
// not. A bind that is named twice is a [*router.DuplicateBindError].
//
// The options hold for each of the transactions.
func (m *DBManager) InTxAll(ctx context.Context, bounds []binds.Bound, fn func(ctx context.Context) error, opts ...TxOption) error {
	routers := make([]*router.Router, len(bounds))
	for i, b := range bounds {
		bind, release, err := m.hold(ctx, b)
		if err != nil {
			return err
		}
		defer release()
		routers[i] = bind.router
	}
	return router.InTxAll(ctx, routers, txOptions(opts), fn)
}

// AfterCommit has call run once the transaction that ctx carries on the bind that b names has committed,
// with a context that is outside of it; at once if ctx carries none. A nil call is [router.ErrNilFunc]. See [router.AfterCommit].
func (m *DBManager) AfterCommit(ctx context.Context, b binds.Bound, call func(ctx context.Context)) error {
	bind, release, err := m.hold(ctx, b)
	defer release()
	switch {
	case err != nil:
		return err
	case call == nil:
		return router.ErrNilFunc
	}
	router.AfterCommit(ctx, bind, call)
	return nil
}

// InTransaction reports whether ctx carries a transaction on the bind that b names, of whichever
// manager, that has not ended. The empty key is the default bind.
func InTransaction(ctx context.Context, b binds.Bound) bool {
	key, err := binds.KeyOf(b)
	return err == nil && router.InTransaction(ctx, key)
}
