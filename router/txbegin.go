package router

import (
	"context"
	"database/sql"

	"github.com/bindery-go/bindery/internal/connectby"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// TxOptions say how a transaction runs. The zero value is a transaction on the writer, at the
// isolation level that the server has set, which is tried once.
type TxOptions struct {
	// Isolation is the isolation level; the default is the server's own, but for a transaction that is
	// ReadOnly, which sees one snapshot.
	Isolation sql.IsolationLevel
	// ReadOnly lets the transaction run where a read would: on a reader that is fresh enough, else on
	// the writer if that may serve reads. It sees one state of the database from its first statement
	// to its end, unless Isolation asks for less. A statement that is not a plain read is a
	// [*ReadOnlyTxError], but for what ends with the transaction, see [sqlkind.Classifier.EndsWithTx]: PostgreSQL's SET LOCAL,
	// set_config(…, true) and cursors, as row-level security wants them.
	//
	// With sql.LevelSerializable it runs on the writer, whose isolation a standby does not have.
	ReadOnly bool
	// Retry is how many more times the whole function may run, each time in a new transaction, after
	// a serialization failure or a deadlock. Zero or less means not once.
	Retry int
	// Name names the transaction in errors, and its savepoint in the server's logs if it is a nested
	// one. It holds letters, digits, '_' and '-', at most 40 of them. It need not be unique.
	Name string

	onWriter bool // a standby has given it up once
	before   int  // tries that have failed
}

// isolation is the level to begin with.
func (o *TxOptions) isolation() sql.IsolationLevel {
	if o.ReadOnly && o.Isolation == sql.LevelDefault {
		return sql.LevelRepeatableRead
	}
	return o.Isolation
}

// maxTxName leaves room for a number within the 63 bytes that PostgreSQL keeps of a name.
const maxTxName = 40

func (o *TxOptions) check() error {
	for i := range len(o.Name) {
		if c := o.Name[i]; !isWordByte(c) && c != '-' || c == '$' || c >= 0x80 {
			return &TxOptionError{Option: "Name", Reason: "it may hold letters, digits, '_' and '-'"}
		}
	}
	if len(o.Name) > maxTxName {
		return &TxOptionError{Option: "Name", Reason: "it may be 40 characters long"}
	}
	return nil
}

// begin opens a transaction where ctx carries none of this bind, else a savepoint in that. The context
// that it returns carries it.
func (r *Router) begin(ctx context.Context, opts *TxOptions) (*txLevel, context.Context, error) {
	if err := opts.check(); err != nil {
		return nil, nil, err
	}
	var l *txLevel
	var err error
	if outer := scopeOf(ctx).tx.of(r); outer != nil {
		l, err = outer.setSavepoint(ctx, opts)
	} else {
		l, ctx, err = r.beginObserved(ctx, opts)
	}
	if err != nil {
		return nil, nil, err
	}
	if l.outer != nil {
		return l, l.within(ctx), nil
	}
	if l.tx.hooked {
		ctx = connectby.Unlimited(l.tx.hookCx) // as Bun does: a trace's span reaches what runs inside
	}
	l.tx.ctx = l.within(ctx)
	return l, l.tx.ctx, nil
}

// beginObserved opens a transaction, and tells the bind's Observer if it has one. The context that it returns is what the observer has made of ctx.
func (r *Router) beginObserved(ctx context.Context, opts *TxOptions) (*txLevel, context.Context, error) {
	by := r.observer.Load()
	if by == nil {
		l, err := r.beginTx(ctx, opts)
		return l, ctx, err
	}
	o, ctx := by.beginTx(ctx, opts)
	statement := by.begin(ctx, scopeOf(ctx), beginStatement)
	l, err := r.beginTx(statement, opts)
	statement.ends(err)
	if err != nil {
		o.ends(false, err)
		return nil, nil, err
	}
	l.observed, o.Engine = o, l.tx.engine
	return l, ctx, nil
}

const beginStatement = "BEGIN" // as Explain shows it, whatever the driver sends

func (r *Router) beginTx(ctx context.Context, opts *TxOptions) (*txLevel, error) {
	s := *scopeOf(ctx)
	c := &r.routed.unknown
	var to route
	if err := c.routeTx(ctx, &s, opts, &to); err != nil {
		return nil, err
	}
	if !opts.ReadOnly {
		s.route = nil // it is no read, although it may be sent again like one
	}
	t := &openTx{router: r, opts: *opts, ctx: ctx, turn: make(chan struct{}, 1)}
	ctx = withScope(ctx, func(s *scope) { s.begins = t })
	rollBack := func(tx *sql.Tx) { _ = t.rollbackTx(tx) } // nothing was done in it
	tx, err := t.beginOn(ctx, c.begin(&to))
	if err == nil && to.outlived() {
		rollBack(tx)
		err = errMoved
	}
	if err == nil {
		c.end(&s, &to, beginStatement)
	} else if tx, err = retry(ctx, c, &s, to, beginStatement, err, t.beginOn, rollBack); err != nil {
		return nil, err
	}
	t.sql = tx
	t.begun.Store(true)
	return &txLevel{tx: t}, nil
}

// on notes the engine that t is about to begin on, by its pool.
func (t *openTx) on(db *sql.DB) {
	t.engine, t.reader = t.router.writer, nil
	for _, reader := range t.router.readers {
		if reader.engine.DB() == db {
			t.engine, t.reader = reader.engine, reader
		}
	}
}

// routeTx decides where a transaction runs. Its kind is that of the BEGIN: one whose answer was lost has
// changed nothing.
func (c *Conn) routeTx(ctx context.Context, s *scope, opts *TxOptions, to *route) error {
	to.kind = sqlkind.Read
	serializable := opts.Isolation >= sql.LevelSerializable
	switch {
	case !opts.ReadOnly, serializable && !c.router.shared: // where the file is shared, readers have it too
		to.reason = Transaction
		return nil
	case s.hint == onWriter, opts.onWriter:
		c.toWriter(s, HintWriter, to)
		return nil
	}
	return c.routeRead(ctx, s, to)
}
