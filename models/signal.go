package models

import (
	"context"
	"database/sql"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/txend"
)

// A Signal calls functions before and after the inserts, updates or deletes of one model. It is a
// query hook: give it to Bun by db.WithQueryHook, or to the manager by manager.WithQueryHook.
//
//	db = db.WithQueryHook(models.OnInsert(checkUser, nil)).
//		WithQueryHook(models.OnInsert(nil, sendWelcome, models.AfterCommit))
//
// It sees the statements of Bun's builders NewInsert, NewUpdate and NewDelete whose model is of its
// type, alone, in a slice, or as a typed nil. A soft delete is a delete, an upsert an insert. It
// does not see NewRaw and NewMerge, models that are maps, and what the database does by itself, such
// as ON DELETE CASCADE. A Signal is safe for concurrent use if its functions are.
type Signal struct {
	op          string // as Bun calls it: "INSERT"
	model       reflect.Type
	before      func(context.Context, event) error
	after       func(context.Context, event)
	afterCommit bool
}

var _ bun.QueryHook = (*Signal)(nil)

// event is what a signal's functions are made their Change from.
type event struct {
	query  bun.Query
	result sql.Result
}

// A Change is a statement that inserts, updates or deletes rows of a T.
type Change[T any] struct {
	// Rows are the models of the statement, as they are in memory: one, or those of a slice; none
	// if the statement was given no more than a type. They are the rows in the database only as far
	// as the statement says so: an update by Set, for one, does not change them. After an insert
	// they have the keys that Bun reads back.
	Rows []*T
	// Query is the statement's builder. A function that runs before it may not change it any more:
	// its text is made.
	Query bun.Query
	// Result is the statement's; nil before it runs.
	Result sql.Result
}

// A SignalOption changes when a [Signal] calls.
type SignalOption func(*Signal)

// AfterCommit makes a signal call after when the transaction of the statement has committed, in the
// order of the statements, and never if it rolled back, or rolled back to a savepoint before the
// statement. Outside a transaction it calls at once.
//
// A transaction is one that Bun began on a DB with this hook: by BeginTx or RunInTx, on a DB or a
// Conn, or nested by savepoints; or one that the context carries, as in bindery's manager.InTx. Other
// transactions are told of by [WithTransaction]; a statement on
// a *sql.Tx that nobody told of is refused with [ErrUnseenTransaction]. A transaction that is begun
// by the text BEGIN is not seen. A COMMIT whose answer was lost calls nothing, even if it took
// place.
//
// What must not be lost with the process belongs into a table, in the same transaction: the process
// can end between the commit and the call.
func AfterCommit(s *Signal) { s.afterCommit = true }

// OnInsert returns a signal for inserts of T. Either function may be nil.
//
// before runs before the statement, in its transaction if there is one; an error of it keeps the
// statement from running, and is what the statement returns. after runs when the statement has
// succeeded, whether it affected rows or not, in the same goroutine, before the statement returns
// to its caller; see also [AfterCommit].
func OnInsert[T any](before func(ctx context.Context, c Change[T]) error, after func(ctx context.Context, c Change[T]), opts ...SignalOption) *Signal {
	return signal("INSERT", before, after, opts)
}

// OnUpdate returns a signal for updates of T, in all else as [OnInsert].
func OnUpdate[T any](before func(ctx context.Context, c Change[T]) error, after func(ctx context.Context, c Change[T]), opts ...SignalOption) *Signal {
	return signal("UPDATE", before, after, opts)
}

// OnDelete returns a signal for deletes of T, soft ones too, in all else as [OnInsert].
func OnDelete[T any](before func(ctx context.Context, c Change[T]) error, after func(ctx context.Context, c Change[T]), opts ...SignalOption) *Signal {
	return signal("DELETE", before, after, opts)
}

func signal[T any](op string, before func(context.Context, Change[T]) error, after func(context.Context, Change[T]), opts []SignalOption) *Signal {
	s := &Signal{op: op, model: reflect.TypeFor[T]()}
	if before != nil {
		s.before = func(ctx context.Context, e event) error { return before(ctx, changeOf[T](e)) }
	}
	if after != nil {
		s.after = func(ctx context.Context, e event) { after(ctx, changeOf[T](e)) }
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

func changeOf[T any](e event) Change[T] {
	c := Change[T]{Query: e.query, Result: e.result}
	for row := range rows(e.query.GetModel()) {
		c.Rows = append(c.Rows, row.Addr().Interface().(*T))
	}
	return c
}

// BeforeQuery is called by Bun.
func (s *Signal) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if e.IQuery == nil {
		if s.waits() {
			return beforeText(ctx, e)
		}
		return ctx
	}
	if !s.sees(e) {
		return ctx
	}
	if err := s.beforeStatement(ctx, e); err != nil {
		refuse(e, err)
	}
	return ctx
}

// AfterQuery is called by Bun.
func (s *Signal) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	if e.IQuery == nil {
		if s.waits() {
			afterText(ctx, e)
		}
		return
	}
	if !s.sees(e) || undoRefusal(e) || e.Err != nil || s.after == nil {
		return
	}
	readLastID(e)
	call := func(ctx context.Context) { s.after(ctx, event{e.IQuery, e.Result}) }
	if !s.afterCommit {
		call(ctx)
		return
	}
	if t, err := transactionOf(ctx, e); err == nil && t != nil {
		t.wait(ctx, call)
		return
	}
	if !ownConn(e) && txend.AfterCommit(ctx, e.DB.DB, call) {
		return
	}
	call(ctx)
}

// waits reports whether the signal must know of transactions.
func (s *Signal) waits() bool { return s.afterCommit && s.after != nil }

func (s *Signal) sees(e *bun.QueryEvent) bool {
	if e.IQuery.Operation() != s.op {
		return false
	}
	model, ok := e.IQuery.GetModel().(bun.TableModel)
	return ok && model.Table().Type == s.model
}

func (s *Signal) beforeStatement(ctx context.Context, e *bun.QueryEvent) error {
	if s.waits() {
		if _, err := transactionOf(ctx, e); err != nil {
			return err
		}
	}
	if s.before == nil || refused(e) {
		return nil
	}
	return s.before(ctx, event{query: e.IQuery})
}

// readLastID gives the rows of an insert their keys where Bun does so only after its hooks: on
// MySQL, whose answer holds the first of them. Where some rows had keys, or conflicts were dealt
// with, that answer does not tell the others.
func readLastID(e *bun.QueryEvent) {
	insert, ok := e.IQuery.(*bun.InsertQuery)
	if !ok || e.Result == nil || e.DB.HasFeature(feature.Returning) || e.DB.HasFeature(feature.Output) {
		return
	}
	table := insert.GetModel().(bun.TableModel).Table()
	if len(table.PKs) != 1 || !table.PKs[0].AutoIncrement || insertBuilder.err != nil || !look[schema.QueryWithArgs](insert, insertBuilder.on).IsZero() {
		return
	}
	pk := table.PKs[0]
	for row := range rows(insert.GetModel()) {
		if !pk.HasZeroValue(row) {
			return
		}
	}
	id, err := e.Result.LastInsertId()
	if err != nil || id == 0 {
		return
	}
	for row := range rows(insert.GetModel()) {
		if pk.ScanValue(row, id) != nil {
			return // Bun meets the same error, and reports it
		}
		id++
	}
}
