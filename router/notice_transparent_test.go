package router

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// through is w with or without a notice between it and database/sql.
type through struct {
	*wire
	notice *notice
}

func (c through) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.wire.Connect(ctx)
	if c.notice != nil {
		conn = c.notice.watch(conn, c.notice.age())
	}
	return conn, err
}

// TestWatchedConnIsTransparent lets database/sql do everything that it does with a driver and
// compares what the driver and the user see with what they see without a notice.
func TestWatchedConnIsTransparent(t *testing.T) {
	for lacks, lacking := range lacking() {
		for _, skip := range []bool{false, true} {
			t.Run(fmt.Sprintf("lacks %s, skips %v", lacks, skip), func(t *testing.T) {
				observe := func(n *notice) []string {
					w := &wire{conn: lacking.conn, stmt: lacking.stmt, rows: lacking.rows, skip: skip, sets: 1, noContexts: lacking.noContexts}
					db := sql.OpenDB(through{w, n})
					useAll(t, db, w)
					require.NoError(t, db.Close())
					return w.taken()
				}
				silent := &notice{plainRead: func(string) bool { return false }, wrote: func(*Session) {}}
				want := observe(nil)
				got := observe(silent)
				at := 0
				for at < min(len(want), len(got)) && want[at] == got[at] {
					at++
				}
				assert.Equal(t, tail(want, at), tail(got, at), "after %q", tail(want, max(at-5, 0)))
				assert.Greater(t, len(want), 50)
			})
		}
	}
}

// tail returns a few of list from at on.
func tail(list []string, at int) []string { return list[at:min(at+9, len(list))] }

// useAll does everything once and logs what comes of it.
func useAll(t *testing.T, db *sql.DB, w *wire) {
	ctx := context.Background()
	w.log("ping: %v", db.Ping())
	for _, args := range [][]any{
		nil, {1}, {"text", nil}, {strange("thing")}, {strange("gone")}, {sql.Named("n", 1)}, {struct{}{}},
		{sql.NullString{}}, {new(int)}, {time.Time{}},
	} {
		for _, query := range []string{"INSERT", "INSERT ?", "INSERT ? ?"} {
			_, err := db.ExecContext(ctx, query, args...)
			w.log("exec: %v", err)
			rows, err := db.QueryContext(ctx, query, args...)
			w.log("query: %v", err)
			read(w, rows)
			readPrepared(w, db, query, args)
		}
	}
	for _, opts := range []*sql.TxOptions{nil, {}, {ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
		tx, err := db.BeginTx(ctx, opts)
		w.log("begin: %v", err)
		if err != nil {
			continue
		}
		_, err = tx.Exec("INSERT")
		w.log("in tx: %v, %v", err, tx.Commit())
	}
	useCancelled(t, db, w)
	useFailing(db, w)
}

func readPrepared(w *wire, db *sql.DB, query string, args []any) {
	stmt, err := db.Prepare(query)
	w.log("prepare: %v", err)
	if err != nil {
		return
	}
	_, err = stmt.Exec(args...)
	w.log("stmt exec: %v", err)
	rows, err := stmt.Query(args...)
	w.log("stmt query: %v", err)
	read(w, rows)
	w.log("close: %v", stmt.Close())
}

func read(w *wire, rows *sql.Rows) {
	if rows == nil {
		return
	}
	for {
		types, err := rows.ColumnTypes()
		for _, c := range types {
			length, long := c.Length()
			precision, scale, decimal := c.DecimalSize()
			null, nullable := c.Nullable()
			w.log("%v %v %v %v %v %v %v %v %v %v %v", c.Name(), c.DatabaseTypeName(), c.ScanType(), length, long, precision, scale, decimal, null, nullable, err)
		}
		for rows.Next() {
			var n any
			w.log("row: %v %v", rows.Scan(&n), n)
		}
		w.log("rows: %v", rows.Err())
		if !rows.NextResultSet() {
			break
		}
	}
	w.log("rows: %v, %v", rows.Close(), rows.Err())
}

// useCancelled shows whether a connection is kept whose transaction was cancelled, and that what
// is cancelled does not run. The driver's own prepare or begin tells, if it knows contexts.
func useCancelled(t *testing.T, db *sql.DB, w *wire) {
	ctx, cancel := context.WithCancel(context.Background())
	_, err := db.BeginTx(ctx, nil)
	w.log("begin: %v", err)
	cancel()
	require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 5*time.Second, time.Millisecond)
	w.log("kept: %d", db.Stats().OpenConnections)

	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	_, err = conn.ExecContext(ctx, "INSERT")
	w.log("cancelled: %v", err)
	_, err = conn.PrepareContext(ctx, "INSERT")
	w.log("cancelled: %v", err)
	if w.noContexts { // else it begins, and the rollback may come at any moment
		_, err = conn.BeginTx(ctx, nil)
		w.log("cancelled: %v", err)
	}
	w.log("close: %v", conn.Close())
}

func useFailing(db *sql.DB, w *wire) {
	for _, w.err = range []error{errors.New("no"), driver.ErrBadConn, driver.ErrRemoveArgument} {
		_, err := db.Exec("INSERT")
		w.log("exec: %v, %v", err, db.Ping())
		_, err = db.Query("INSERT")
		w.log("query: %v", err)
		_, err = db.Prepare("INSERT")
		w.log("prepare: %v", err)
		_, err = db.Begin()
		w.log("begin: %v", err)
	}
	w.err = nil
	w.invalid = true
	_, err := db.Exec("INSERT")
	w.log("invalid: %v, %d", err, db.Stats().OpenConnections)
	w.invalid = false
}

type (
	connLacksExecer struct {
		driver.Conn
		driver.QueryerContext
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.Pinger
		driver.SessionResetter
		driver.Validator
		driver.NamedValueChecker
	}
	connLacksQueryer struct {
		driver.Conn
		driver.ExecerContext
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.Pinger
		driver.SessionResetter
		driver.Validator
		driver.NamedValueChecker
	}
	connLacksDoors struct {
		driver.Conn
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.Pinger
		driver.SessionResetter
		driver.Validator
	}
	connLacksPrepare struct {
		driver.Conn
		driver.ExecerContext
		driver.QueryerContext
		driver.ConnBeginTx
		driver.Pinger
		driver.SessionResetter
		driver.Validator
		driver.NamedValueChecker
	}
	connLacksBegin struct {
		driver.Conn
		driver.ExecerContext
		driver.QueryerContext
		driver.ConnPrepareContext
		driver.Pinger
		driver.SessionResetter
		driver.Validator
		driver.NamedValueChecker
	}
	connLacksPing struct {
		driver.Conn
		driver.ExecerContext
		driver.QueryerContext
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.SessionResetter
		driver.Validator
		driver.NamedValueChecker
	}
	connLacksReset struct {
		driver.Conn
		driver.ExecerContext
		driver.QueryerContext
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.Pinger
		driver.Validator
		driver.NamedValueChecker
	}
	connLacksValid struct {
		driver.Conn
		driver.ExecerContext
		driver.QueryerContext
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.Pinger
		driver.SessionResetter
		driver.NamedValueChecker
	}
	connLacksChecker struct {
		driver.Conn
		driver.ExecerContext
		driver.QueryerContext
		driver.ConnPrepareContext
		driver.ConnBeginTx
		driver.Pinger
		driver.SessionResetter
		driver.Validator
	}
	stmtLacksExec struct {
		driver.Stmt
		driver.StmtQueryContext
		driver.NamedValueChecker
		driver.ColumnConverter
	}
	stmtLacksQuery struct {
		driver.Stmt
		driver.StmtExecContext
		driver.NamedValueChecker
		driver.ColumnConverter
	}
	stmtLacksChecker struct {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
		driver.ColumnConverter
	}
	stmtLacksConverter struct {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
		driver.NamedValueChecker
	}
	rowsLackSets  struct{ driver.RowsColumnTypeLength }
	rowsLackTypes struct{ driver.RowsNextResultSet }
)

// lacking returns drivers of which each lacks what it is named for.
func lacking() map[string]*wire {
	bareStmt := func(s *wireStmt) driver.Stmt { return struct{ driver.Stmt }{s} }
	return map[string]*wire{
		"nothing":  {},
		"exec":     {conn: func(c *wireConn) driver.Conn { return connLacksExecer{c, c, c, c, c, c, c, c} }},
		"query":    {conn: func(c *wireConn) driver.Conn { return connLacksQueryer{c, c, c, c, c, c, c, c} }},
		"doors":    {conn: func(c *wireConn) driver.Conn { return connLacksDoors{c, c, c, c, c, c} }},
		"prepare":  {conn: func(c *wireConn) driver.Conn { return connLacksPrepare{c, c, c, c, c, c, c, c} }},
		"begin":    {noContexts: true, conn: func(c *wireConn) driver.Conn { return connLacksBegin{c, c, c, c, c, c, c, c} }},
		"ping":     {conn: func(c *wireConn) driver.Conn { return connLacksPing{c, c, c, c, c, c, c, c} }},
		"reset":    {conn: func(c *wireConn) driver.Conn { return connLacksReset{c, c, c, c, c, c, c, c} }},
		"validity": {conn: func(c *wireConn) driver.Conn { return connLacksValid{c, c, c, c, c, c, c, c} }},
		"checker":  {conn: func(c *wireConn) driver.Conn { return connLacksChecker{c, c, c, c, c, c, c, c} }},
		"everything": {
			noContexts: true,
			conn:       func(c *wireConn) driver.Conn { return struct{ driver.Conn }{c} },
			stmt:       bareStmt,
			rows:       func(r *wireRows) driver.Rows { return struct{ driver.Rows }{r} },
		},
		"stmt exec":      {stmt: func(s *wireStmt) driver.Stmt { return stmtLacksExec{s, s, s, s} }},
		"stmt query":     {stmt: func(s *wireStmt) driver.Stmt { return stmtLacksQuery{s, s, s, s} }},
		"stmt checker":   {stmt: func(s *wireStmt) driver.Stmt { return stmtLacksChecker{s, s, s, s} }},
		"stmt converter": {stmt: func(s *wireStmt) driver.Stmt { return stmtLacksConverter{s, s, s, s} }},
		"all of stmt":    {stmt: bareStmt},
		"all checkers": {
			conn: func(c *wireConn) driver.Conn { return connLacksChecker{c, c, c, c, c, c, c, c} },
			stmt: bareStmt,
		},
		"all checkers but the column's": {
			conn: func(c *wireConn) driver.Conn { return connLacksDoors{c, c, c, c, c, c} },
			stmt: func(s *wireStmt) driver.Stmt { return stmtLacksChecker{s, s, s, s} },
		},
		"result sets":  {rows: func(r *wireRows) driver.Rows { return rowsLackSets{r} }},
		"column types": {rows: func(r *wireRows) driver.Rows { return rowsLackTypes{r} }},
	}
}

type interruptible struct {
	*wireConn
	interrupted *int
}

func (i interruptible) Interrupt() { *i.interrupted++ }

func TestWatchedConnIsAnInterrupterIfItsDriversIs(t *testing.T) {
	n := noticing(&wire{}, newPeople())
	inner := &wireConn{wire: &wire{}}
	for name, conn := range map[string]driver.Conn{
		"full": inner, "no exec": connLacksExecer{Conn: inner, QueryerContext: inner},
		"no query": connLacksQueryer{Conn: inner, ExecerContext: inner}, "neither": struct{ driver.Conn }{inner},
	} {
		_, ok := n.watch(conn, n.age()).(binds.Interrupter)
		assert.False(t, ok, name)

		count := 0
		i := interruptible{inner, &count}
		switch conn.(type) {
		case *wireConn:
			conn = i
		case connLacksExecer:
			conn = struct {
				driver.Conn
				driver.QueryerContext
				binds.Interrupter
			}{inner, inner, i}
		case connLacksQueryer:
			conn = struct {
				driver.Conn
				driver.ExecerContext
				binds.Interrupter
			}{inner, inner, i}
		default:
			conn = struct {
				driver.Conn
				binds.Interrupter
			}{inner, i}
		}
		watched := n.watch(conn, n.age())
		watched.(binds.Interrupter).Interrupt()
		assert.Equal(t, 1, count, name)
		_, had := conn.(driver.ExecerContext)
		_, has := watched.(driver.ExecerContext)
		assert.Equal(t, had, has, name)
		_, had = conn.(driver.QueryerContext)
		_, has = watched.(driver.QueryerContext)
		assert.Equal(t, had, has, name)
	}
}

// TestWatchedConnTrustsThePoolsLock lets contexts end while rows are read and transactions are open,
// so that the pool's own goroutines close and roll back. The race detector watches.
func TestWatchedConnTrustsThePoolsLock(t *testing.T) {
	const workers, rounds = 4, 50
	w, p := &wire{sets: 1}, newPeople()
	db := sql.OpenDB(through{w, noticing(w, p)})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				cancelMidway(p.alice, db)
			}
		})
	}
	wg.Wait()
	require.NoError(t, db.Close())
	ran, reported := 0, 0
	for _, e := range w.taken() {
		switch {
		case strings.HasPrefix(e, "query INSERT"), strings.HasPrefix(e, "exec UPDATE"):
			ran++
		case e == "! alice":
			reported++
		}
	}
	assert.Positive(t, ran)
	assert.Equal(t, ran, reported)
}

// cancelMidway runs a write with rows and a transaction with one, and cancels each meanwhile.
func cancelMidway(ctx context.Context, db *sql.DB) {
	one, cancel := context.WithCancel(ctx)
	if rows, err := db.QueryContext(one, "INSERT"); err == nil {
		go cancel()
		for rows.Next() || rows.NextResultSet() {
		}
		_ = rows.Close()
	}
	cancel()

	two, cancel := context.WithCancel(ctx)
	if tx, err := db.BeginTx(two, nil); err == nil {
		_, _ = tx.ExecContext(ctx, "UPDATE")
		go cancel()
		_ = tx.Commit()
	}
	cancel()
}
