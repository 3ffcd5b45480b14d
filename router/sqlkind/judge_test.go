package sqlkind_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
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
	primary *sql.DB  // its primary, which answers as the reader does; nil where both are one
	setUp   string   // run on each connection first
	probe   string   // one text of all that a statement could leave behind in the session or on the server
	begin   string   // what a transaction starts with, "" for none: locks are seen before it ends
	reset   []string // makes a session as good as new, if the probe then says so; nil if only a new one is
	kept    map[*sql.DB]*session
	refused func(error) bool
	differs explained
}

// explained says, by a part of a statement, why its answers differ although we call it a Read.
type explained map[string]string

// of returns the part that explains query, "" if none does.
func (e explained) of(query string) string {
	for part := range e {
		if strings.Contains(query, part) {
			return part
		}
	}
	return ""
}

// An outcome is what a reader made of a statement.
type outcome struct {
	rows   string
	err    error
	refuse bool   // it needs the writer, says the server
	before string // the probe
	after  string
}

func (o outcome) traced() bool { return o.err == nil && o.before != o.after }

func (o outcome) String() string {
	return fmt.Sprintf("error %v, trace %q -> %q", o.err, o.before, o.after)
}

// A session is a connection for one statement at a time.
type session struct {
	*sql.Conn
	fresh string // what the probe said when it was new
}

// session returns one in which nothing is left of another statement, and what the probe says there.
func (j *judge) session(t *testing.T, db *sql.DB) (s *session, probed string) {
	t.Helper()
	ctx := t.Context()
	if s = j.kept[db]; s != nil {
		delete(j.kept, db)
		var err error
		for _, statement := range j.reset {
			_, err = s.ExecContext(ctx, statement)
		}
		if err == nil {
			err = s.QueryRowContext(ctx, j.probe).Scan(&probed)
		}
		if err == nil && probed == s.fresh {
			return s, probed
		}
		s.end()
	}
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	s = &session{Conn: conn}
	if j.setUp != "" {
		run(t, ctx, conn, j.setUp)
	}
	require.NoError(t, conn.QueryRowContext(ctx, j.probe).Scan(&s.fresh))
	return s, s.fresh
}

// end closes the connection for good: what a statement left in the session goes with it.
func (s *session) end() {
	_ = s.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.Close() // it is closed already
}

// leave takes a session back.
func (j *judge) leave(t *testing.T, db *sql.DB, s *session) {
	if j.reset == nil {
		s.end()
		return
	}
	if j.kept == nil {
		j.kept = make(map[*sql.DB]*session)
	}
	j.kept[db] = s
	t.Cleanup(func() {
		if j.kept[db] == s {
			delete(j.kept, db)
			s.end()
		}
	})
}

// forget has the next statement get a new session.
func (j *judge) forget(db *sql.DB) {
	if s := j.kept[db]; s != nil {
		delete(j.kept, db)
		s.end()
	}
}

// try runs a statement in a session of its own.
func (j *judge) try(t *testing.T, query string) outcome { return j.tryOn(t, j.db, query) }

func (j *judge) tryOn(t *testing.T, db *sql.DB, query string) (o outcome) {
	t.Helper()
	ctx := t.Context()
	session, before := j.session(t, db)
	defer j.leave(t, db, session)
	conn := session.Conn
	o.before = before
	if j.begin != "" {
		run(t, ctx, conn, j.begin)
	}
	if o.rows, o.err = drain(ctx, conn, query); o.err != nil {
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

// drain runs a statement and reads all its rows, since some do their work only then. It returns them as text, in order:
// two servers may find them in another one.
func drain(ctx context.Context, conn *sql.Conn, query string) (string, error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	var texts []string
	for {
		columns, err := rows.Columns()
		if err != nil {
			return "", err
		}
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return "", err
			}
			texts = append(texts, fmt.Sprint(values))
		}
		if !rows.NextResultSet() {
			slices.Sort(texts)
			return strings.Join(texts, "\n"), rows.Err()
		}
	}
}

// Four lists of statements go before a judge. Each says what the server will say and what we must say.
type cases struct {
	harmless []string          // the reader runs it, nothing stays, and its primary answers the same: a Read
	local    []string          // the same, but its primary has another answer: a local read
	needy    []string          // the reader refuses it, or something stays: a Write
	cautious map[string]string // by statement, why it is a Write though the reader runs it and nothing stays, or fails for a reason of its own
}

func (j *judge) hear(t *testing.T, c cases) {
	t.Helper()
	used := make(map[string]bool)
	t.Run("harmless", func(t *testing.T) {
		for _, query := range c.harmless {
			o := j.try(t, query)
			assert.NoError(t, o.err, "%s", query)
			assert.False(t, o.traced(), "%s: %v", query, o)
			assert.Equal(t, read, sqlkind.Of(j.dialect, query), query)
			if j.primary == nil {
				continue
			}
			part := j.differs.of(query)
			on := j.tryOn(t, j.primary, query)
			if part != "" && on.rows == o.rows { // by chance, as two servers may give their sessions the same number
				j.forget(j.primary)
				on = j.tryOn(t, j.primary, query)
			}
			if on.rows != o.rows {
				used[part] = true
				assert.NotEmpty(t, part, "the primary has another answer to %s: %s\ninstead of\n%s", query, cut(on.rows), cut(o.rows))
			}
		}
		for part, reason := range j.differs {
			assert.True(t, used[part], "%q (%s) makes no difference any more", part, reason)
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

// cut shortens a text for a message.
func cut(text string) string { return text[:min(len(text), 300)] }

// disagree asks both servers for what is theirs alone: nothing stays, and their answers differ.
func (j *judge) disagree(t *testing.T, statements []string) {
	t.Helper()
	classifier, err := sqlkind.New(j.dialect)
	require.NoError(t, err)
	for _, query := range statements {
		o := j.try(t, query)
		assert.NoError(t, o.err, "%s", query)
		assert.False(t, o.traced(), "%s: %v", query, o)
		assert.NotEqual(t, j.tryOn(t, j.primary, query).rows, o.rows, "%s: the same answer", query)
		local.check(t, classifier, j.dialect, query)
	}
	t.Logf("%v: %d statements with another answer on each server, all local", j.dialect, len(statements))
}

// agree asks both servers for each of the names, by the query that ask makes, unless that is a local read or a Write, and
// wants the same answer, but for what is explained. It returns how many names it has compared.
func (j *judge) agree(t *testing.T, names []string, ask func(name string) string) (compared int) {
	t.Helper()
	classifier, err := sqlkind.New(j.dialect)
	require.NoError(t, err)
	ctx := t.Context()
	var conns [2]*sql.Conn
	for i, db := range []*sql.DB{j.db, j.primary} {
		conns[i], err = db.Conn(ctx)
		require.NoError(t, err)
		if j.setUp != "" {
			run(t, ctx, conns[i], j.setUp)
		}
	}
	for _, name := range names {
		query := ask(name)
		if kind, isLocal := classifier.Classify(query); kind == write || isLocal || j.differs[name] != "" {
			continue
		}
		compared++
		reader, refused := drain(ctx, conns[0], query)
		primary, err := drain(ctx, conns[1], query)
		assert.Equal(t, fmt.Sprint(err), fmt.Sprint(refused), query)
		assert.True(t, primary == reader, "the primary has another answer to %s: %s\ninstead of\n%s", query, cut(primary), cut(reader))
	}
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
	return compared
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
