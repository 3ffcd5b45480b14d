package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// people are contexts with and without sessions, and the names that reports are logged under.
type people struct{ alice, bob, none context.Context }

func newPeople() people {
	return people{
		alice: NewSession(context.Background()), bob: NewSession(context.Background()), none: context.Background(),
	}
}

// noticing returns a notice that logs reports to w. Texts that begin with SELECT are plain reads,
// unless they lock.
func noticing(w *wire, p people) *notice {
	return &notice{
		plainRead: func(q string) bool { return strings.HasPrefix(q, "SELECT") && !strings.Contains(q, "FOR UPDATE") },
		wrote: func(s *Session) {
			switch s {
			case SessionFrom(p.alice):
				w.log("! alice")
			case SessionFrom(p.bob):
				w.log("! bob")
			case nil:
				w.log("! nobody")
			default:
				w.log("! stranger")
			}
		},
	}
}

// script is one connection, used as database/sql would. Each call that returned is logged as "-".
type script struct {
	*wire
	people
	conn driver.Conn
}

func newScript(w *wire) *script {
	p := newPeople()
	inner, _ := w.Connect(context.Background())
	return &script{w, p, noticing(w, p).watch(inner, 0)}
}

func (s *script) returned() { s.log("-") }

func (s *script) exec(ctx context.Context, query string) {
	_, _ = s.conn.(driver.ExecerContext).ExecContext(ctx, query, nil)
	s.returned()
}

func (s *script) query(ctx context.Context, query string) driver.Rows {
	rows, _ := s.conn.(driver.QueryerContext).QueryContext(ctx, query, nil)
	s.returned()
	return rows
}

func (s *script) prepare(query string) driver.Stmt {
	stmt, _ := s.conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	s.returned()
	return stmt
}

func (s *script) stmtExec(ctx context.Context, stmt driver.Stmt) {
	_, _ = stmt.(driver.StmtExecContext).ExecContext(ctx, nil)
	s.returned()
}

func (s *script) stmtQuery(ctx context.Context, stmt driver.Stmt) driver.Rows {
	rows, _ := stmt.(driver.StmtQueryContext).QueryContext(ctx, nil)
	s.returned()
	return rows
}

func (s *script) begin(ctx context.Context) driver.Tx {
	tx, _ := s.conn.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})
	s.returned()
	return tx
}

func (s *script) next(rows driver.Rows) {
	_ = rows.Next(make([]driver.Value, 1))
	s.returned()
}

func (s *script) do(f func() error) {
	_ = f()
	s.returned()
}

// told leaves of the events the reports and the returns: "- !alice -" is a report during the second
// call.
func told(events []string) string {
	var b []string
	for _, e := range events {
		if e == "-" || strings.HasPrefix(e, "!") {
			b = append(b, strings.ReplaceAll(e, " ", ""))
		}
	}
	return strings.Join(b, " ")
}

func TestStatementIsReportedHoweverItEnds(t *testing.T) {
	cancelled := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	plain := func(ctx context.Context) context.Context { return ctx }
	outcomes := map[string]struct {
		err error
		ctx func(context.Context) context.Context
	}{
		"ok":              {nil, plain},
		"error":           {errors.New("no"), plain},
		"broken":          {driver.ErrBadConn, plain},
		"cancelled":       {context.Canceled, cancelled},
		"cancelled, done": {nil, cancelled},
	}
	bareStmt := func(s *wireStmt) driver.Stmt { return struct{ driver.Stmt }{s} }
	doors := map[string]struct {
		stmt func(*wireStmt) driver.Stmt
		run  func(s *script, ctx context.Context, query string) // after the preparation
		rows bool
	}{
		"exec": {run: func(s *script, ctx context.Context, q string) { s.exec(ctx, q) }},
		"prepared exec": {run: func(s *script, ctx context.Context, q string) {
			s.stmtExec(ctx, s.conn.(*watchedConn).watchStmt(s.bare(q), q))
		}},
		"prepared exec without contexts": {stmt: bareStmt, run: func(s *script, ctx context.Context, q string) {
			s.stmtExec(ctx, s.conn.(*watchedConn).watchStmt(bareStmt(s.bare(q)), q))
		}},
		"query": {run: func(s *script, ctx context.Context, q string) { s.drain(s.query(ctx, q)) }},
		"prepared query": {run: func(s *script, ctx context.Context, q string) {
			s.drain(s.stmtQuery(ctx, s.conn.(*watchedConn).watchStmt(s.bare(q), q)))
		}},
	}
	for door, d := range doors {
		for outcome, o := range outcomes {
			t.Run(door+"/"+outcome, func(t *testing.T) {
				w := &wire{err: o.err}
				s := newScript(w)
				d.run(s, o.ctx(s.alice), "INSERT")
				events := w.taken()
				assert.Equal(t, 1, strings.Count(told(events), "!"), events)
				require.Contains(t, events, "! alice")
				at := indexOf(events, "! alice")
				if o.err != nil || !strings.Contains(door, "query") {
					assert.Equal(t, "-", events[len(events)-1], "the report comes before the call returns")
					assert.LessOrEqual(t, at, 1, "as soon as the driver is done: %q", events)
				} else {
					assert.Equal(t, "eof", events[at-1], "not before the rows end: %q", events)
				}
				d.run(s, o.ctx(s.alice), "SELECT")
				assert.NotContains(t, told(w.taken()), "!", "a plain read")
			})
		}
	}
}

func indexOf(list []string, want string) int {
	for i, e := range list {
		if e == want {
			return i
		}
	}
	return -1
}

// bare is a statement of the driver's own.
func (s *script) bare(query string) *wireStmt {
	return &wireStmt{&wireConn{wire: s.wire}, query}
}

// drain reads rows to their end and closes them.
func (s *script) drain(rows driver.Rows) {
	if rows == nil {
		return
	}
	s.next(rows)
	s.next(rows)
	s.do(rows.Close)
}

func TestRowsAreReportedWhereTheyEnd(t *testing.T) {
	for reason, row := range map[string]struct {
		wire *wire
		run  func(s *script)
		want string
	}{
		"the end, and not again at Close": {&wire{}, func(s *script) { s.drain(s.query(s.alice, "INSERT")) }, "- - !alice - -"},
		"closed before the end": {&wire{}, func(s *script) {
			rows := s.query(s.alice, "INSERT")
			s.next(rows)
			s.do(rows.Close)
		}, "- - !alice -"},
		"closed unread":                          {&wire{}, func(s *script) { s.do(s.query(s.alice, "INSERT").Close) }, "- !alice -"},
		"an error, and again when it is settled": {&wire{failing: true}, func(s *script) { s.drain(s.query(s.alice, "INSERT")) }, "- - !alice - !alice -"},
		"the end of the last result set": {&wire{sets: 1}, func(s *script) {
			rows := s.query(s.alice, "CALL p")
			s.next(rows)
			s.next(rows) // the end of the first
			s.do(rows.(driver.RowsNextResultSet).NextResultSet)
			s.next(rows)
			s.next(rows)
			s.do(rows.Close)
		}, "- - - - - !alice - -"},
		"no result set where another was expected": {&wire{}, func(s *script) {
			rows := s.query(s.alice, "CALL p")
			s.do(rows.(driver.RowsNextResultSet).NextResultSet)
		}, "- !alice -"},
		"the connection closed under them": {&wire{}, func(s *script) {
			rows := s.query(s.alice, "INSERT")
			s.do(s.conn.Close)
			s.do(rows.Close)
		}, "- !alice - -"},
		"two at once": {&wire{}, func(s *script) {
			a, b := s.query(s.alice, "INSERT"), s.query(s.bob, "INSERT")
			s.do(a.Close)
			s.do(b.Close)
			s.do(s.query(s.none, "INSERT").Close)
		}, "- - !alice - !bob - - !nobody -"},
		"two at once when the connection closes": {&wire{}, func(s *script) {
			_, _ = s.query(s.alice, "INSERT"), s.query(s.bob, "INSERT")
			s.do(s.conn.Close)
		}, "- - !bob !alice -"},
		"one of two when the connection closes": {&wire{}, func(s *script) {
			a, _ := s.query(s.alice, "INSERT"), s.query(s.bob, "INSERT")
			s.do(a.Close)
			s.do(s.conn.Close)
		}, "- - !alice - !bob -"},
		"outside what began meanwhile": {&wire{}, func(s *script) {
			rows := s.query(s.alice, "INSERT")
			tx := s.begin(s.bob)
			s.do(rows.Close)
			s.do(tx.Commit)
		}, "- - !alice !bob - -"},
	} {
		t.Run(reason, func(t *testing.T) {
			s := newScript(row.wire)
			row.run(s)
			assert.Equal(t, row.want, told(s.taken()))
		})
	}
}

func TestTransactionIsReportedAtItsEnd(t *testing.T) {
	for reason, row := range map[string]struct {
		run  func(s *script)
		want string
	}{
		"commit": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.exec(s.alice, "UPDATE")
			s.do(tx.Commit)
		}, "- - - !alice -"},
		"rollback": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.do(tx.Rollback)
		}, "- - !alice -"},
		"a commit that fails": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.err = errors.New("gone")
			s.do(tx.Commit)
		}, "- - !alice -"},
		"a write that fails": {func(s *script) {
			tx := s.begin(s.alice)
			s.err = errors.New("duplicate")
			s.exec(s.alice, "INSERT")
			s.err = nil
			s.do(tx.Rollback)
		}, "- - !alice -"},
		"plain reads only": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.alice, "SELECT")
			s.drain(s.query(s.alice, "SELECT"))
			s.do(tx.Commit)
		}, "- - - - - - -"},
		"a locking read is none": {func(s *script) {
			tx := s.begin(s.alice)
			s.drain(s.query(s.alice, "SELECT FOR UPDATE"))
			s.do(tx.Commit)
		}, "- - - - - !alice -"},
		"rows": {func(s *script) {
			tx := s.begin(s.none)
			s.drain(s.query(s.alice, "INSERT"))
			s.do(tx.Commit)
		}, "- - - - - !alice -"},
		"who began it and who ran in it, each once": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.bob, "INSERT")
			s.exec(s.alice, "INSERT")
			s.exec(s.none, "INSERT")
			s.do(tx.Commit)
		}, "- - - - !alice !bob -"},
		"who only read what another wrote": {func(s *script) {
			tx := s.begin(s.none)
			s.exec(s.alice, "INSERT")
			s.exec(s.bob, "SELECT")
			s.do(tx.Commit)
		}, "- - - !alice !bob -"},
		"nobody": {func(s *script) {
			tx := s.begin(s.none)
			s.exec(s.none, "INSERT")
			s.do(tx.Commit)
		}, "- - !nobody -"},
		"more than usual": {func(s *script) {
			tx := s.begin(s.alice)
			for range 5 {
				s.exec(NewSession(s.none), "INSERT")
			}
			s.do(tx.Commit)
		}, "- - - - - - !alice !stranger !stranger !stranger !stranger !stranger -"},
		"savepoints": {func(s *script) {
			tx := s.begin(s.alice)
			for _, q := range []string{"SAVEPOINT a", "INSERT", "ROLLBACK TO a", "release a"} {
				s.exec(s.alice, q)
			}
			s.do(tx.Commit)
		}, "- - - - - !alice -"},
		"prepared before": {func(s *script) {
			stmt := s.prepare("INSERT")
			tx := s.begin(s.alice)
			s.stmtExec(s.bob, stmt)
			s.do(tx.Commit)
			s.stmtExec(s.bob, stmt)
		}, "- - - !alice !bob - !bob -"},
		"prepared within": {func(s *script) {
			tx := s.begin(s.alice)
			stmt := s.prepare("INSERT")
			s.drain(s.stmtQuery(s.alice, stmt))
			s.do(tx.Commit)
			s.do(stmt.Close)
		}, "- - - - - - !alice - -"},
		"prepared read": {func(s *script) {
			tx := s.begin(s.alice)
			s.stmtExec(s.alice, s.prepare("SELECT"))
			s.do(tx.Commit)
		}, "- - - -"},
		"what may commit is reported at once, and so is all after it": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.bob, "INSERT")
			s.exec(s.none, "CREATE TABLE a (id int)")
			s.exec(s.none, "SELECT")
			s.exec(s.bob, "INSERT")
			s.do(tx.Commit)
		}, "- - !alice !bob - - !bob !alice - !alice !bob -"},
		"the rows of what may commit": {func(s *script) {
			tx := s.begin(s.alice)
			s.drain(s.query(s.alice, "CALL p"))
			s.do(tx.Commit)
		}, "- - - !alice - - !alice -"},
		"prepared, what may commit": {func(s *script) {
			tx := s.begin(s.alice)
			s.stmtExec(s.alice, s.prepare("COMMIT"))
			s.do(tx.Rollback)
		}, "- - !alice - !alice -"},
		"the next one starts afresh": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.alice, "DROP TABLE a")
			s.do(tx.Commit)
			tx = s.begin(s.bob)
			s.exec(s.bob, "INSERT")
			s.do(tx.Commit)
			tx = s.begin(s.alice)
			s.do(tx.Commit)
		}, "- !alice - !alice - - - !bob - - -"},
		"one that did not begin": {func(s *script) {
			s.err = errors.New("no")
			s.begin(s.alice)
			s.err = nil
			s.exec(s.bob, "INSERT")
		}, "- !bob -"},
		"one in another": {func(s *script) {
			outer, inner := s.begin(s.alice), s.begin(s.bob)
			s.exec(s.none, "INSERT")
			s.do(inner.Commit)
			s.exec(s.none, "INSERT")
			s.do(outer.Commit)
			s.exec(s.none, "INSERT")
		}, "- - - !alice !bob - - !alice !bob - !nobody -"},
		"in text, every statement": {func(s *script) {
			for _, q := range []string{"BEGIN", "INSERT", "SELECT", "COMMIT"} {
				s.exec(s.alice, q)
			}
		}, "!alice - !alice - - !alice -"},
		"the connection closed": {func(s *script) {
			s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.do(s.conn.Close)
		}, "- - !alice -"},
		"the connection closed after plain reads": {func(s *script) {
			s.begin(s.alice)
			s.exec(s.alice, "SELECT")
			s.do(s.conn.Close)
		}, "- - -"},
		"the connection closed after the end": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.do(tx.Commit)
			s.do(s.conn.Close)
		}, "- - !alice - -"},
		"the connection reset: nobody knows what the server made of it": {func(s *script) {
			s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.do(func() error { return s.conn.(driver.SessionResetter).ResetSession(s.none) })
			s.exec(s.bob, "INSERT")
		}, "- - !alice - !bob !alice -"},
		"the connection broken by a statement": {func(s *script) {
			tx := s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.err = driver.ErrBadConn
			s.exec(s.alice, "SELECT")
			s.do(tx.Rollback)
		}, "- - !alice - !alice -"},
		"the connection broken by the rest": {func(s *script) {
			s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			s.err = driver.ErrBadConn
			s.query(s.alice, "SELECT")
			s.prepare("SELECT")
			s.do(func() error { return s.conn.(driver.Pinger).Ping(s.none) })
		}, "- - !alice - !alice - !alice -"},
		"the connection invalid": {func(s *script) {
			s.begin(s.alice)
			s.exec(s.alice, "INSERT")
			_ = s.conn.(driver.Validator).IsValid()
			s.returned()
			s.invalid = true
			_ = s.conn.(driver.Validator).IsValid()
			s.returned()
		}, "- - - !alice -"},
	} {
		t.Run(reason, func(t *testing.T) {
			s := newScript(&wire{})
			row.run(s)
			events := s.taken()
			assert.Equal(t, row.want, told(events), events)
		})
	}
}

func TestReportFollowsTheDriver(t *testing.T) {
	s := newScript(&wire{})
	tx := s.begin(s.alice)
	s.exec(s.alice, "INSERT")
	s.do(tx.Commit)
	s.do(s.query(s.alice, "DELETE").Close)
	assert.Equal(t, []string{
		"begin tx 0 false", "-", "exec INSERT ", "-", "commit", "! alice", "-",
		"query DELETE ", "-", "close rows", "! alice", "-",
	}, s.taken())
}

func TestSkippedStatementIsReportedOnce(t *testing.T) {
	s := newScript(&wire{skip: true})
	s.exec(s.alice, "INSERT")
	s.query(s.alice, "INSERT")
	s.stmtExec(s.alice, s.prepare("INSERT"))
	assert.Equal(t, "- - - !alice -", told(s.taken()))
}

func TestStatementsAreToldApart(t *testing.T) {
	s := newScript(&wire{})
	read, insert := s.prepare("SELECT"), s.prepare("INSERT")
	s.stmtExec(s.alice, read)
	s.stmtExec(s.alice, insert)
	s.do(read.Close)
	remove := s.prepare("DELETE")
	s.stmtExec(s.bob, remove)
	s.stmtExec(s.alice, insert)
	events := s.taken()
	assert.Equal(t, "- - - !alice - - - !bob - !alice -", told(events))
	assert.Equal(t, []string{"stmt exec context DELETE ", "! bob", "-", "stmt exec context INSERT ", "! alice", "-"}, events[len(events)-6:])
}

func TestEffectInTx(t *testing.T) {
	for reason, row := range map[string]struct {
		query string
		want  effect
	}{
		"insert":                        {"INSERT INTO a VALUES (1)", changesData},
		"any case":                      {"rEpLaCe INTO a VALUES (1)", changesData},
		"blanks":                        {"\t\r\n update a SET b = 1", changesData},
		"line comment":                  {"-- why\nDELETE FROM a", changesData},
		"line comment, DOS":             {"-- why\r\nDELETE FROM a", changesData},
		"hash comment":                  {"# why\nDELETE FROM a", changesData},
		"comments":                      {"/* a */ -- b\n/* c */MERGE INTO a", changesData},
		"word ends in a comment":        {"SELECT/**/1 FOR UPDATE", changesData},
		"writing CTE":                   {"WITH a AS (DELETE FROM b RETURNING *) SELECT * FROM a", changesData},
		"values":                        {"VALUES(1)", changesData},
		"savepoint":                     {"SAVEPOINT a", changesData},
		"release":                       {"RELEASE SAVEPOINT a", changesData},
		"back to a savepoint":           {"ROLLBACK /* only */ TO SAVEPOINT a", changesData},
		"rollback":                      {"ROLLBACK", mayEndTx},
		"rollback and chain":            {"ROLLBACK AND CHAIN", mayEndTx},
		"rollback, a longer word":       {"ROLLBACK TOO", mayEndTx},
		"commit":                        {"COMMIT", mayEndTx},
		"DDL":                           {"ALTER TABLE a ADD b int", mayEndTx},
		"call":                          {"CALL p()", mayEndTx},
		"longer than a known word":      {"SELECTED", mayEndTx},
		"known word and foreign letter": {"SELECTé", mayEndTx},
		"commented out in PostgreSQL":   {"-- a\rCOMMIT\nINSERT INTO a", mayEndTx},
		"nested comment":                {"/* /* */ COMMIT */ INSERT INTO a", mayEndTx},
		"code in a comment":             {"/*!50000 COMMIT */ INSERT INTO a", mayEndTx},
		"MariaDB's code in a comment":   {"/*M! COMMIT */ INSERT INTO a", mayEndTx},
		"open comment":                  {"/* INSERT", mayEndTx},
		"comment without an end":        {"-- INSERT", mayEndTx},
		"empty":                         {"", mayEndTx},
		"empty statement first":         {"; INSERT INTO a", mayEndTx},
	} {
		t.Run(reason, func(t *testing.T) { assert.Equal(t, row.want, effectInTx(row.query)) })
	}
}
