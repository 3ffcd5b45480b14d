package models

import (
	"context"
	"database/sql"
	"time"
	"unsafe"

	"github.com/uptrace/bun"
)

// Bun's query hooks cannot return an error. A builder's statement is refused by giving it a
// connection that answers with the error: Bun asks for the connection after its hooks.

// refusal is that connection.
type refusal struct {
	err error
	was bun.IConn // the builder's connection, nil if it had none
}

func (r *refusal) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, r.err
}

func (r *refusal) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, r.err
}

// QueryRowContext is not called by builders. A *sql.Row cannot hold an error of ours.
func (r *refusal) QueryRowContext(context.Context, string, ...any) *sql.Row { return nil }

// connOf returns where a builder keeps its connection, nil if it has none of its own.
func connOf(q bun.Query) (*bun.IConn, error) {
	switch q := q.(type) {
	case *bun.InsertQuery:
		return connIn(q, insertBuilder)
	case *bun.UpdateQuery:
		return connIn(q, updateBuilder)
	case *bun.DeleteQuery:
		return connIn(q, deleteBuilder)
	}
	return nil, &UnknownBunError{Type: "query", Field: "conn"}
}

func connIn[Q any](q *Q, b *builder) (*bun.IConn, error) {
	if b.err != nil {
		return nil, b.err
	}
	return (*bun.IConn)(unsafe.Add(unsafe.Pointer(q), b.conn)), nil
}

// refuse makes the statement fail with err.
func refuse(e *bun.QueryEvent, err error) {
	if refused(e) {
		return
	}
	conn, unknown := connOf(e.IQuery)
	if unknown != nil {
		panic(unknown) // to run the statement would be worse
	}
	*conn = &refusal{err: err, was: *conn}
}

func refused(e *bun.QueryEvent) bool {
	conn, err := connOf(e.IQuery)
	if err != nil {
		return false
	}
	_, yes := (*conn).(*refusal)
	return yes
}

// undoRefusal gives the builder its own connection back, and reports whether the statement was
// refused.
func undoRefusal(e *bun.QueryEvent) bool {
	conn, err := connOf(e.IQuery)
	if err != nil {
		return false
	}
	r, yes := (*conn).(*refusal)
	if yes {
		*conn = r.was
	}
	return yes
}

// refusedContext is done from the start, with an error of ours: database/sql gives it back for a
// statement of a transaction, and does not run that.
type refusedContext struct {
	context.Context
	err error
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (c *refusedContext) Done() <-chan struct{} { return closed }

func (c *refusedContext) Err() error { return c.err }

func (c *refusedContext) Deadline() (time.Time, bool) { return time.Time{}, false }
