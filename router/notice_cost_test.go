package router

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
)

// costs are what a connection does all day, without what database/sql adds.
var costs = map[string]func(ctx context.Context, c driver.Conn, stmt driver.Stmt){
	"exec": func(ctx context.Context, c driver.Conn, _ driver.Stmt) {
		_, _ = c.(driver.ExecerContext).ExecContext(ctx, "INSERT", nil)
	},
	"query and rows": func(ctx context.Context, c driver.Conn, _ driver.Stmt) {
		rows, _ := c.(driver.QueryerContext).QueryContext(ctx, "INSERT", nil)
		for rows.Next(oneRow[:]) == nil {
		}
		_ = rows.Close()
	},
	"plain read and rows": func(ctx context.Context, c driver.Conn, _ driver.Stmt) {
		rows, _ := c.(driver.QueryerContext).QueryContext(ctx, "SELECT", nil)
		for rows.Next(oneRow[:]) == nil {
		}
		_ = rows.Close()
	},
	"transaction of two": func(ctx context.Context, c driver.Conn, _ driver.Stmt) {
		tx, _ := c.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})
		_, _ = c.(driver.ExecerContext).ExecContext(ctx, "INSERT", nil)
		_, _ = c.(driver.ExecerContext).ExecContext(context.Background(), "UPDATE", nil)
		_ = tx.Commit()
	},
	"prepared exec": func(ctx context.Context, _ driver.Conn, stmt driver.Stmt) {
		_, _ = stmt.(driver.StmtExecContext).ExecContext(ctx, nil)
	},
	"prepared query": func(ctx context.Context, _ driver.Conn, stmt driver.Stmt) {
		rows, _ := stmt.(driver.StmtQueryContext).QueryContext(ctx, nil)
		_ = rows.Close()
	},
	"prepare, exec, close": func(ctx context.Context, c driver.Conn, _ driver.Stmt) {
		stmt, _ := c.(driver.ConnPrepareContext).PrepareContext(ctx, "INSERT")
		_, _ = stmt.(driver.StmtExecContext).ExecContext(ctx, nil)
		_ = stmt.Close()
	},
}

var oneRow [1]driver.Value

// costly returns a connection and a statement prepared on another, bare and watched.
func costly() (ctx context.Context, bare, watched driver.Conn, bareStmt, watchedStmt driver.Stmt) {
	n := &notice{plainRead: func(q string) bool { return q[0] == 'S' }, wrote: func(*Session) {}}
	w := &wire{quiet: true}
	bare, watched = &wireConn{wire: w}, n.watch(&wireConn{wire: w}, n.age())
	bareStmt, _ = (&wireConn{wire: w}).Prepare("INSERT")
	watchedStmt, _ = n.watch(&wireConn{wire: w}, n.age()).Prepare("INSERT")
	return NewSession(context.Background()), bare, watched, bareStmt, watchedStmt
}

func TestNoticeAllocatesNothing(t *testing.T) {
	ctx, bare, watched, bareStmt, watchedStmt := costly()
	for name, run := range costs {
		want := testing.AllocsPerRun(200, func() { run(ctx, bare, bareStmt) })
		assert.Equal(t, want, testing.AllocsPerRun(200, func() { run(ctx, watched, watchedStmt) }), name)
	}
}

func BenchmarkNotice(b *testing.B) {
	ctx, bare, watched, bareStmt, watchedStmt := costly()
	for name, run := range costs {
		b.Run(name+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(ctx, bare, bareStmt)
			}
		})
		b.Run(name+"/watched", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(ctx, watched, watchedStmt)
			}
		})
	}
}
