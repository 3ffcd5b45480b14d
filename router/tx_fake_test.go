package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// strict is a server with the habits of all: it has one result at a time, overwrites the bytes and the
// columns that it has handed out, and refuses what follows an error in a transaction.
type strict struct {
	mu   sync.Mutex // guards the rest
	sent []string
	errs map[string]error // by the statement's first word
	// rows are the result sets of a query: "1,2,!|3" is two sets, of which the first fails after 2.
	rows string
	gone bool // whole transactions are gone at errBroken
	owns bool // its rows do not overwrite what they have handed out
}

var (
	errBusy      = errors.New("strict: rows are open")
	errBroken    = errors.New("strict: this broke the transaction")
	errConflict  = errors.New("strict: serialization failure")
	errRefusedIt = errors.New("strict: refused")
	errNoAnswer  = errors.New("strict: no answer")
)

func (d *strict) Name() string            { return "strict" }
func (d *strict) Dialect() schema.Dialect { return pgdialect.New() }
func (d *strict) Open(context.Context, string) (binds.Source, error) {
	return strictSource{d}, nil
}

func (d *strict) BreaksTx(err error) (breaks, whole bool) {
	breaks = errors.Is(err, errBroken) || errors.Is(err, errConflict)
	return breaks, breaks && d.gone
}

func (d *strict) Classify(err error) binds.Fault {
	switch {
	case errors.Is(err, errConflict):
		return binds.Retryable
	case errors.Is(err, errBroken), errors.Is(err, errRefusedIt):
		return binds.Refused
	case errors.Is(err, errNoAnswer):
		return binds.Unknown
	}
	return binds.ClassifyCommon(err)
}

func (d *strict) fail(word string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.errs == nil {
		d.errs = make(map[string]error)
	}
	d.errs[word] = err
}

func (d *strict) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := d.sent
	d.sent = nil
	return sent
}

func (d *strict) did(query string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent = append(d.sent, query)
	word, _, _ := strings.Cut(query, " ")
	return d.errs[word]
}

type strictSource struct{ d *strict }

func (s strictSource) Connector(binds.Role) driver.Connector { return s }
func (s strictSource) Connect(context.Context) (driver.Conn, error) {
	return &strictConn{strict: s.d, bytes: make([]byte, 8), columns: []string{"n"}}, nil
}
func (s strictSource) Driver() driver.Driver { return nil }

type strictConn struct {
	*strict
	open    bool
	bytes   []byte
	columns []string
}

func (c *strictConn) do(query string) error {
	if c.open {
		return errBusy
	}
	copy(c.bytes, "~~~~~~~~") // its buffer is the next statement's
	return c.did(query)
}

func (c *strictConn) Prepare(string) (driver.Stmt, error) { return nil, errRefusedIt }
func (c *strictConn) Close() error                        { return nil }
func (c *strictConn) IsValid() bool                       { return !c.open }
func (c *strictConn) ResetSession(context.Context) error  { return nil }
func (c *strictConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}
func (c *strictConn) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	return strictTx{c}, c.do(strings.TrimSpace(fmt.Sprintf("BEGIN %d", o.Isolation)))
}

func (c *strictConn) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), c.do(query)
}

func (c *strictConn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	if err := c.do(query); err != nil {
		return nil, err
	}
	c.open = true
	c.columns[0] = "n"
	r := &strictRows{c: c}
	for set := range strings.SplitSeq(c.rows, "|") {
		r.sets = append(r.sets, strings.Split(set, ","))
	}
	return r, nil
}

type strictTx struct{ c *strictConn }

func (t strictTx) Commit() error   { return t.c.do("COMMIT") }
func (t strictTx) Rollback() error { return t.c.do("ROLLBACK") }

type strictRows struct {
	c    *strictConn
	sets [][]string
}

func (r *strictRows) Columns() []string { return r.c.columns }

func (r *strictRows) Close() error {
	r.c.open = false
	r.c.columns[0] = "overwritten"
	return nil
}

func (r *strictRows) Next(dest []driver.Value) error {
	set := &r.sets[0]
	switch {
	case len(*set) == 0 || (*set)[0] == "":
		return io.EOF
	case (*set)[0] == "!":
		return errBroken
	}
	if r.c.owns {
		dest[0] = (*set)[0]
		*set = (*set)[1:]
		return nil
	}
	n := copy(r.c.bytes, (*set)[0])
	dest[0] = r.c.bytes[:n]
	*set = (*set)[1:]
	return nil
}

func (r *strictRows) OwnsBytes() bool { return r.c.owns }

func (r *strictRows) HasNextResultSet() bool { return len(r.sets) > 1 }
func (r *strictRows) NextResultSet() error {
	if len(r.sets) < 2 {
		return io.EOF
	}
	r.sets = r.sets[1:]
	if r.sets[0][0] == "!!" {
		return errBroken
	}
	return nil
}
func (r *strictRows) ColumnTypeDatabaseTypeName(int) string { return "TENTHS" }

// newStrict opens a bind without readers on a strict server.
func newStrict(t testing.TB) (*strict, *Router, *bun.DB) {
	t.Helper()
	d := new(strict)
	var drivers binds.Drivers
	drivers.Register(d, "strict")
	e, err := drivers.Open(t.Context(), "shop/writer", "strict://it")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	dialect := d.Dialect()
	r, err := New(Config{Key: "shop", Default: "shop", Dialect: dialect, Writer: e})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return d, r, bun.NewDB(e.DB(), dialect, bun.WithConnResolver(r.Routed()))
}

// BeginTx lets the fakes of routing begin whatever they are asked for.
func (c *fakeConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return c.Begin() }
