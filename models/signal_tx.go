package models

import (
	"context"
	"database/sql"
	"reflect"
	"strings"
	"sync"
	"unsafe"

	"github.com/uptrace/bun"
)

// A Transaction holds the calls that wait for its commit, see [AfterCommit]. Whoever runs
// transactions that Bun does not begin itself makes one for each, puts it into the context by
// [WithTransaction], and reports how it ended. Its zero value is ready to use. It is safe for
// concurrent use.
type Transaction struct {
	mu      sync.Mutex // guards all
	waiting []waitingCall
	marks   []mark
	tx      *sql.Tx // the first that was seen to belong to it
}

type waitingCall struct {
	ctx  context.Context
	call func(context.Context)
}

// mark is a savepoint: what has waited when it was made.
type mark struct {
	name string
	n    int
}

func (t *Transaction) wait(ctx context.Context, call func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, waitingCall{ctx, call})
}

// Committed runs what has waited, in order, with ctx: one that does not lead into the transaction
// any more. A second call does nothing.
func (t *Transaction) Committed(ctx context.Context) {
	for _, w := range t.take() {
		w.call(ctx)
	}
}

// committed is Committed with the contexts of the statements.
func (t *Transaction) committed() {
	for _, w := range t.take() {
		w.call(w.ctx)
	}
}

func (t *Transaction) take() []waitingCall {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting := t.waiting
	t.waiting, t.marks = nil, nil
	return waiting
}

// RolledBack drops what has waited.
func (t *Transaction) RolledBack() { t.take() }

// Savepoint notes that a savepoint was made.
func (t *Transaction) Savepoint(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks = append(t.marks, mark{name, len(t.waiting)})
}

// RolledBackTo drops what has waited since the last savepoint of that name.
func (t *Transaction) RolledBackTo(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.marks) - 1; i >= 0; i-- {
		if t.marks[i].name == name {
			t.waiting = t.waiting[:min(t.marks[i].n, len(t.waiting))]
			t.marks = t.marks[:i+1]
			return
		}
	}
}

// owns reports whether tx is the transaction's, as far as can be told: it is the first that came.
func (t *Transaction) owns(tx *sql.Tx) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tx == nil {
		t.tx = tx
	}
	return t.tx == tx
}

// poolKey finds the transaction of a context on a pool.
type poolKey struct{ pool *sql.DB }

// begunKey finds the transaction that Bun began with a context.
type begunKey struct{}

// WithTransaction returns a context whose statements, built on db, are part of t: for transactions
// that are found by the context, as those of a router are. It counts for statements without a
// connection of their own and for those on a *sql.Tx that Bun did not begin.
func WithTransaction(ctx context.Context, db *bun.DB, t *Transaction) context.Context {
	return context.WithValue(ctx, poolKey{db.DB}, t)
}

// TxContext returns a context for statements of tx that signals need to know tx by: SAVEPOINT, which
// tx.BeginTx and tx.RunInTx begin with, says in no other way which transaction it belongs to. The
// context that RunInTx gives its function is such a context already.
func TxContext(ctx context.Context, tx bun.Tx) context.Context {
	if t, ok := begunBy(tx.Tx); ok && t != nil {
		return context.WithValue(ctx, begunKey{}, t)
	}
	return ctx
}

// transactionOf returns the transaction that a builder's statement is part of, nil if it is part of
// none.
func transactionOf(ctx context.Context, e *bun.QueryEvent) (*Transaction, error) {
	conn, err := connOf(e.IQuery)
	if err != nil {
		return nil, err
	}
	told, _ := ctx.Value(poolKey{e.DB.DB}).(*Transaction)
	switch c := (*conn).(type) {
	case nil:
		return told, nil
	case *sql.Tx:
		t, ok := begunBy(c)
		if ok && t != nil && t.owns(c) {
			return t, nil
		}
		if told != nil {
			return told, nil
		}
		return nil, ErrUnseenTransaction
	}
	return nil, nil
}

// ownConn reports whether the statement's builder was given a connection or a transaction: the context
// does not decide then where it runs.
func ownConn(e *bun.QueryEvent) bool {
	conn, err := connOf(e.IQuery)
	return err != nil || *conn != nil
}

// txContext is where database/sql keeps the context that a transaction was begun with.
var txContext = func() int {
	f, ok := reflect.TypeFor[sql.Tx]().FieldByName("ctx")
	if !ok || f.Type != reflect.TypeFor[context.Context]() {
		return -1
	}
	return int(f.Offset)
}()

// begunBy returns the transaction that a hook put into the context that tx was begun with.
func begunBy(tx *sql.Tx) (*Transaction, bool) {
	if tx == nil || txContext < 0 {
		return nil, false
	}
	ctx := *(*context.Context)(unsafe.Add(unsafe.Pointer(tx), txContext))
	if ctx == nil {
		return nil, false
	}
	t, ok := ctx.Value(begunKey{}).(*Transaction)
	return t, ok
}

// beforeText sees the statements by which Bun ends and begins transactions. Several signals share
// one transaction, by the event.
func beforeText(ctx context.Context, e *bun.QueryEvent) context.Context {
	if e.QueryTemplate == "BEGIN" {
		if firstSignal(e) {
			ctx = context.WithValue(ctx, begunKey{}, new(Transaction))
		}
		return ctx
	}
	if _, ok := savepoint(e.QueryTemplate, "SAVEPOINT"); ok && transactionBegun(ctx) == nil {
		return &refusedContext{ctx, ErrUnseenSavepoint}
	}
	return ctx
}

func afterText(ctx context.Context, e *bun.QueryEvent) {
	t := transactionBegun(ctx)
	if t == nil {
		return
	}
	switch {
	case e.QueryTemplate == "COMMIT" && e.Err == nil:
		t.committed()
	case e.QueryTemplate == "COMMIT", e.QueryTemplate == "ROLLBACK":
		t.RolledBack()
	default:
		if name, ok := savepoint(e.QueryTemplate, "ROLLBACK TO SAVEPOINT"); ok {
			t.RolledBackTo(name)
		} else if name, ok := savepoint(e.QueryTemplate, "SAVEPOINT"); ok && e.Err == nil && firstSignal(e) {
			t.Savepoint(name)
		}
	}
}

// firstSignal reports whether no other signal has dealt with the event. Several share it.
func firstSignal(e *bun.QueryEvent) bool {
	if e.Stash[begunKey{}] != nil {
		return false
	}
	if e.Stash == nil {
		e.Stash = make(map[any]any)
	}
	e.Stash[begunKey{}] = true
	return true
}

func transactionBegun(ctx context.Context) *Transaction {
	t, _ := ctx.Value(begunKey{}).(*Transaction)
	return t
}

func savepoint(query, verb string) (name string, ok bool) {
	words, verbs := strings.Fields(query), strings.Fields(verb)
	if len(words) != len(verbs)+1 {
		return "", false
	}
	for i, v := range verbs {
		if !strings.EqualFold(words[i], v) {
			return "", false
		}
	}
	return words[len(words)-1], true
}
