package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// table prints a line for each statement that Bun sends: the statement, its bind, the engine that ran
// it and the reason. It learns of statements as a bun.QueryHook, and of engines from router.Explain.
type table struct {
	out io.Writer

	mu   sync.Mutex // guards sent: Bun may run statements side by side
	sent []statement
}

// A statement is what Bun sent, and what router.Explain shows of it: no values.
type statement struct{ query, outline string }

var _ bun.QueryHook = (*table)(nil)

// BeforeQuery does nothing.
func (t *table) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery notes a statement.
func (t *table) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = append(t.sent, statement{e.Query, sqlkind.Outline(e.DB.Dialect().Name(), e.Query, router.MaxDecisionQuery)})
}

const (
	lineFormat = "  %-*s  %-9s  %-18s  %s\n"
	width      = 74 // of a statement
)

// header prints the titles of the columns.
func (t *table) header() {
	t.print(lineFormat, width, "STATEMENT", "BIND", "ENGINE", "REASON")
}

// step runs one step of the tour and prints its statements.
func (t *table) step(ctx context.Context, m *manager.DBManager, title string, run func(context.Context, *manager.DBManager) error) error {
	t.print("\n%s\n", title)
	ctx, route := router.Explain(ctx)
	t.sent = nil
	err := run(ctx, m)
	decisions := route.Decisions()
	printed := ""
	for _, sent := range t.sent {
		bind, engine, reason := "accounts", "accounts/writer", "transaction (not routed)"
		if i := find(decisions, sent.outline); i >= 0 {
			d := decisions[i]
			decisions = decisions[i+1:]
			bind, engine, reason = d.Bind.String(), d.Engine, d.Reason.String()
		} else if err != nil || !inTransaction(title) {
			bind, engine, reason = "-", "-", "not sent"
		}
		line := fmt.Sprintf(lineFormat, width, shorten(sent.query), bind, engine, reason)
		if line != printed { // a read that waits for replication repeats itself
			t.print("%s", line)
		}
		printed = line
	}
	return err
}

// inTransaction says which step runs on a bun.Tx: Bun asks no router there.
func inTransaction(title string) bool { return strings.HasPrefix(title, "transaction") }

func find(decisions []router.Decision, outline string) int {
	for i, d := range decisions {
		if d.Query == outline {
			return i
		}
	}
	return -1
}

// shorten fits a statement into its column.
func shorten(query string) string {
	query = strings.Join(strings.Fields(query), " ")
	if runes := []rune(query); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return query
}

// print writes to the tour's output; a terminal that went away is not the tour's business.
func (t *table) print(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format, args...) }
