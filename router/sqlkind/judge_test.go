package sqlkind_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/router/sqlkind"
)

// A judge is a reader that runs statements and tells what became of them.
type judge struct {
	dialect dialect.Name
	db      *sql.DB
	setUp   string // run on each connection first
	probe   string // one text of all that a statement could leave behind in the session or on the server
	begin   string // what a transaction starts with, "" for none: locks are seen before it ends
	refused func(error) bool
}

// An outcome is what a reader made of a statement.
type outcome struct {
	err    error
	refuse bool   // it needs the writer, says the server
	before string // the probe
	after  string
}

func (o outcome) traced() bool { return o.err == nil && o.before != o.after }

func (o outcome) String() string {
	return fmt.Sprintf("error %v, trace %q -> %q", o.err, o.before, o.after)
}

// try runs a statement on a connection of its own.
func (j *judge) try(t *testing.T, query string) (o outcome) {
	t.Helper()
	ctx := t.Context()
	conn, err := j.db.Conn(ctx)
	require.NoError(t, err)
	defer func() {
		// What a statement left in the session goes with the connection.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close() // it is closed already
	}()
	if j.setUp != "" {
		run(t, ctx, conn, j.setUp)
	}
	require.NoError(t, conn.QueryRowContext(ctx, j.probe).Scan(&o.before), query)
	if j.begin != "" {
		run(t, ctx, conn, j.begin)
	}
	if o.err = drain(ctx, conn, query); o.err != nil {
		o.refuse = j.refused(o.err)
		return o
	}
	require.NoError(t, conn.QueryRowContext(ctx, j.probe).Scan(&o.after), query)
	return o
}

func run(t *testing.T, ctx context.Context, conn *sql.Conn, query string) {
	t.Helper()
	_, err := conn.ExecContext(ctx, query)
	require.NoError(t, err, query)
}

// drain runs a statement and reads all its rows, since some do their work only then.
func drain(ctx context.Context, conn *sql.Conn, query string) error {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	for {
		for rows.Next() {
		}
		if !rows.NextResultSet() {
			return rows.Err()
		}
	}
}

// Three lists of statements go before a judge. Each says what the server will say and what we must say.
type cases struct {
	harmless []string          // the reader runs it, nothing stays: a Read
	needy    []string          // the reader refuses it, or something stays: a Write
	cautious map[string]string // by statement, why it is a Write though the reader runs it and nothing stays, or fails for a reason of its own
}

func (j *judge) hear(t *testing.T, c cases) {
	t.Helper()
	t.Run("harmless", func(t *testing.T) {
		for _, query := range c.harmless {
			o := j.try(t, query)
			assert.NoError(t, o.err, "%s", query)
			assert.False(t, o.traced(), "%s: %v", query, o)
			assert.Equal(t, read, sqlkind.Of(j.dialect, query), query)
		}
	})
	t.Run("needy", func(t *testing.T) {
		for _, query := range c.needy {
			o := j.try(t, query)
			assert.True(t, o.refuse || o.traced(), "the server does not mind %s: %v", query, o)
			assert.Equal(t, write, sqlkind.Of(j.dialect, query), query)
		}
	})
	t.Run("cautious", func(t *testing.T) {
		for query, reason := range c.cautious {
			o := j.try(t, query)
			assert.False(t, o.refuse || o.traced(), "needy after all: %s: %v", query, o)
			assert.Equal(t, write, sqlkind.Of(j.dialect, query), "%s: %s", query, reason)
		}
	})
	t.Logf("%v: %d harmless statements, all Read; %d that need the writer, all Write; %d called Write out of caution",
		j.dialect, len(c.harmless), len(c.needy), len(c.cautious))
}

// spread puts each expression into each pattern, which has %s where it goes.
func spread(patterns, expressions []string) (queries []string) {
	for _, p := range patterns {
		for _, e := range expressions {
			queries = append(queries, fmt.Sprintf(p, e))
		}
	}
	return queries
}
