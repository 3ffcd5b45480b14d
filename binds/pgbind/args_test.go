package pgbind

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// texts are harmless; each has the argument "a" once, and gives "a" with what the text itself has.
var texts = map[string]struct{ query, want string }{
	"an apostrophe in a line's comment":   {"-- it's here\nSELECT $1::text", "a"},
	"an apostrophe at the end":            {"SELECT $1::text -- it's here", "a"},
	"an apostrophe in a block":            {"/* it's here */ SELECT $1::text /* and here: ' */", "a"},
	"a parameter in a comment":            {"-- $2 is none\nSELECT /* nor is $3 */ $1::text", "a"},
	"nested comments":                     {"/* a /* nested ' $9 */ ' */ SELECT $1::text", "a"},
	"an escaped string":                   {`SELECT E'it\'s $2: ' || $1`, "it's $2: a"},
	"a string with a backslash":           {`SELECT 'c:\' || $1`, `c:\a`},
	"a dollar quote":                      {"SELECT $$it's $1 $$ || $1", "it's $1 a"},
	"a dollar quote with a tag":           {"SELECT $q$ $2 $$ ' $q$ || $1", " $2 $$ ' a"},
	"a parameter in a string":             {"SELECT '$1' || $1", "$1a"},
	"a parameter in a name":               {`SELECT "$1" FROM (SELECT $1::text AS "$1") AS "it's"`, "a"},
	"a string by its code points":         {`SELECT U&'\0041' || $1`, "Aa"},
	"a string of two lines":               {"SELECT 'b'\n'''c' || $1", "b'ca"},
	"used twice":                          {"SELECT $1::text || $1", "aa"},
	"a dollar in a name":                  {"SELECT x$1 || $1 FROM (SELECT 'b' AS x$1) AS t", "ba"},
	"a minus before it":                   {"SELECT (3 -$1::int)::text FROM (SELECT 1) AS t WHERE $1 = '-2'", "5"},
	"semicolons that begin no statement":  {"SELECT $1::text; -- nothing; follows\n;", "a"},
	"a cast":                              {"SELECT $1::varchar(5)", "a"},
	"a text that begins with a semicolon": {"SELECT ';' || $1", ";a"},
}

// runners run a query with arguments in each way that database/sql has, and return the one text that it gives.
var runners = map[string]func(ctx context.Context, e *binds.Engine, query string, args ...any) (string, error){
	"DB.QueryRow": func(ctx context.Context, e *binds.Engine, query string, args ...any) (got string, err error) {
		return got, e.DB().QueryRowContext(ctx, query, args...).Scan(&got)
	},
	"Tx.Query": func(ctx context.Context, e *binds.Engine, query string, args ...any) (got string, err error) {
		tx, err := e.DB().BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		err = tx.QueryRowContext(ctx, query, args...).Scan(&got)
		return got, errors.Join(err, tx.Rollback())
	},
	"Conn.Query": func(ctx context.Context, e *binds.Engine, query string, args ...any) (got string, err error) {
		c, err := e.DB().Conn(ctx)
		if err != nil {
			return "", err
		}
		err = c.QueryRowContext(ctx, query, args...).Scan(&got)
		return got, errors.Join(err, c.Close())
	},
	"DB.Prepare": func(ctx context.Context, e *binds.Engine, query string, args ...any) (got string, err error) {
		s, err := e.DB().PrepareContext(ctx, query)
		if err != nil {
			return "", err
		}
		err = s.QueryRowContext(ctx, args...).Scan(&got)
		return got, errors.Join(err, s.Close())
	},
	"DB.Exec": func(ctx context.Context, e *binds.Engine, query string, args ...any) (string, error) {
		_, err := e.DB().ExecContext(ctx, "TRUNCATE outcome")
		if err != nil {
			return "", err
		}
		query = "INSERT INTO outcome " + query
		if strings.HasPrefix(query, "INSERT INTO outcome --") {
			query = strings.Replace(query, "-- it", "\n-- it", 1)
		}
		res, err := e.DB().ExecContext(ctx, query, args...)
		if err != nil {
			return "", err
		}
		if n, err := res.RowsAffected(); n != 1 || err != nil {
			return "", fmt.Errorf("%d rows affected, %v", n, err)
		}
		var got string
		return got, e.DB().QueryRowContext(ctx, "SELECT v FROM outcome").Scan(&got)
	},
}

func TestArguments_areFoundByTheServer(t *testing.T) {
	table(t, open(t, cluster.Primary.URI()), "outcome (v text)")
	for name, uri := range map[string]string{"writer": cluster.Primary.URI(), "reader": cluster.Replicas[0].URI()} {
		role := binds.Writer
		if name == "reader" {
			role = binds.Reader
		}
		e := open(t, uri, one, binds.As(role))
		pid := value(t, e, pidQuery)
		for how, run := range runners {
			if how == "DB.Exec" && role == binds.Reader {
				continue
			}
			for reason, text := range texts {
				arg := "a"
				if reason == "a minus before it" {
					arg = "-2"
				}
				got, err := run(t.Context(), e, text.query, arg)
				assert.NoError(t, err, "%s, %s: %s", name, how, reason)
				assert.Equal(t, text.want, got, "%s, %s: %s", name, how, reason)
			}
		}
		assert.Equal(t, pid, value(t, e, pidQuery), "%s: the connection lives", name)
		assert.Equal(t, "0", value(t, e, "SELECT count(*) FROM pg_prepared_statements"), "nothing is left in the session")
	}
}

type valued struct{ v driver.Value }

func (v valued) Value() (driver.Value, error) { return v.v, nil }

// Each value comes back as it went, whatever the parameter's type.
func TestArguments_keepTheirValues(t *testing.T) {
	e := open(t, with(t, cluster.Primary.URI(), "timezone", "America/New_York"), one)
	binary := []byte{0, 1, '\'', '\\', 0xff, 0}
	at := time.Date(2024, 3, 10, 6, 59, 59, 123_456_000, time.UTC)
	for _, row := range []struct {
		expr string
		arg  any
		want any // of the expression as text; nil: NULL
	}{
		{"$1::int", 42, "42"}, {"$1::bigint", int64(math.MinInt64), "-9223372036854775808"}, {"$1::smallint", uint8(255), "255"},
		{"$1::text", 42, "42"}, {"$1::numeric", "123456789012345678901234567890.5", "123456789012345678901234567890.5"},
		{"$1::float8", 0.1, "0.1"}, {"$1::float8", math.NaN(), "NaN"}, {"$1::float8", math.Inf(-1), "-Infinity"}, {"$1::float8", math.MaxFloat64, "1.7976931348623157e+308"},
		{"$1::numeric", 1e25, "10000000000000000000000000"}, {"$1::int", 5.0, "5"},
		{"$1::bool", true, "true"}, {"$1::text", false, "false"},
		{"$1::text", nil, nil}, {"$1::int", nil, nil}, {"$1::bytea", []byte(nil), nil}, {"$1::text", valued{nil}, nil}, {"$1::int", sql.NullInt64{}, nil},
		{"$1::text", "", ""}, {"$1::text", `a'b"c\d$1` + "\n\t€😀", `a'b"c\d$1` + "\n\t€😀"},
		{"encode($1, 'hex')", binary, "0001275cff00"}, {"encode($1::bytea, 'hex')", []byte{}, ""},
		{"$1::text", []byte("it's"), "it's"}, {"$1::json->>'a'", []byte(`{"a":"é"}`), "é"}, {"$1::jsonb->>'a'", json.RawMessage(`{"a":1}`), "1"}, {"$1::jsonb->>'a'", `{"a":2}`, "2"},
		{"($1::jsonb->>'a') || encode($2::bytea, 'hex')", []any{json.RawMessage(`{"a":1}`), binary}, "10001275cff00"},
		{"$1::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"$1::uuid", []byte("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"array_to_string($1::int[], '+')", "{1,2,3}", "1+2+3"}, {"5 = ANY($1)", "{4,5}", "true"},
		{"$1::timestamptz AT TIME ZONE 'UTC'", at, "2024-03-10 06:59:59.123456"}, {"$1::timestamp", at.In(time.FixedZone("", -3600*5)), "2024-03-10 06:59:59.123456"},
		{"$1::date", at, "2024-03-10"}, {"$1::timestamptz AT TIME ZONE 'UTC'", time.Time{}, "0001-01-01 00:00:00"},
		{"$1::timestamp", time.Date(10000, 1, 2, 3, 4, 5, 0, time.UTC), "10000-01-02 03:04:05"}, {"$1::timestamp", time.Date(-43, 3, 15, 1, 2, 3, 0, time.UTC), "0044-03-15 01:02:03 BC"},
		{"$1::timestamp", time.Date(0, 2, 29, 0, 0, 0, 0, time.UTC), "0001-02-29 00:00:00 BC"},
		{"$1::interval", "1 day 02:00:00", "1 day 02:00:00"}, {"now() - $1::interval < now()", "1 day", "true"},
		{"$1", "untyped", "untyped"}, {"coalesce($1, 'b')", nil, "b"}, {"$1 + 1", 1, "2"}, {"length($1)", "abc", "3"},
		{"$1::text || $2::int", []any{"a", 1}, "a1"}, {"$2 || $1", []any{"a", "b"}, "ba"}, {"host($1::inet)", "::1", "::1"},
	} {
		args, ok := row.arg.([]any)
		if !ok {
			args = []any{row.arg}
		}
		query := "SELECT (" + row.expr + ")::text"
		for _, prepared := range []bool{false, true} {
			var got sql.NullString
			var err error
			if prepared {
				var s *sql.Stmt
				s, err = e.DB().PrepareContext(t.Context(), query)
				require.NoError(t, err, query)
				err = s.QueryRowContext(t.Context(), args...).Scan(&got)
				require.NoError(t, s.Close())
			} else {
				err = e.DB().QueryRowContext(t.Context(), query, args...).Scan(&got)
			}
			if assert.NoError(t, err, "%s of %#v, prepared: %v", row.expr, row.arg, prepared) {
				var v any
				if got.Valid {
					v = got.String
				}
				assert.Equal(t, row.want, v, "%s of %#v, prepared: %v", row.expr, row.arg, prepared)
			}
		}
	}
}

// What cannot be run says why, and costs neither the connection nor, where the server was not asked, the transaction.
func TestArguments_thatAreRefused(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	table(t, e, "kept (n int)")
	c, err := e.DB().Conn(t.Context())
	require.NoError(t, err)
	var before, after string
	require.NoError(t, c.QueryRowContext(t.Context(), pidQuery).Scan(&before))
	for reason, row := range map[string]struct {
		query string
		args  []any
		code  string
		want  string
	}{
		"two statements":                  {"INSERT INTO kept VALUES ($1); INSERT INTO kept VALUES (2)", []any{1}, "42601", "the second begins at byte 30"},
		"two, after a comment":            {"-- a; b\nINSERT INTO kept VALUES ($1);\nSELECT 1", []any{1}, "42601", "the second begins at byte 38"},
		"too few":                         {"SELECT $1::int + $2::int", []any{1}, "08P01", "requires 2"},
		"too many":                        {"SELECT $1::int", []any{1, 2}, "08P01", "requires 1"},
		"none in the text":                {"SELECT '$1'", []any{1}, "08P01", "requires 0"},
		"a gap":                           {"SELECT $2::int", []any{1, 2}, "42P18", "$1::text"},
		"a type that nothing says":        {"SELECT jsonb_build_object('a', $1)", []any{1}, "42P18", "say the argument's type in the text"},
		"a statement that takes none":     {"SET statement_timeout = $1", []any{1}, "42601", "no argument can stand there"},
		"of a type that does not fit":     {"SELECT $1::int", []any{"x"}, "22P02", "invalid input syntax"},
		"bytes of a type that do not fit": {"SELECT $1::int", []any{[]byte("x")}, "22P02", "invalid input syntax"},
		"bytes, bad syntax":               {"SELEC $1", []any{[]byte("x")}, "42601", "syntax"},
		"a NUL character":                 {"SELECT $1::text", []any{"a\x00b"}, "", "argument 1 holds a NUL character"},
		"not UTF-8":                       {"SELECT $2::text", []any{1, "a\xff"}, "", "argument 2 is a string and not valid UTF-8"},
		"named":                           {"SELECT $1::text", []any{sql.Named("n", 1)}, "", `argument 1 is named "n"`},
		"a NUL character in the text":     {"SELECT $1::text --\x00", []any{"a"}, "", "the text holds a NUL character"},
		"too many for the protocol":       {"SELECT $1::text", make([]any, 65536), "", "65536 arguments"},
	} {
		_, err := c.ExecContext(t.Context(), row.query, row.args...)
		assert.ErrorContains(t, err, row.want, reason)
		assert.Equal(t, row.code, codeOf(err), reason)
		rows, err := c.QueryContext(t.Context(), row.query, row.args...)
		if err == nil {
			assert.Fail(t, "a query was run", reason)
			require.NoError(t, rows.Close())
		}
		assert.ErrorContains(t, err, row.want, reason)
		assert.NotContains(t, []binds.Fault{binds.Unknown, binds.NotSent}, e.Classify(err), reason)
	}
	var wrong *binds.SeveralStatementsError
	_, err = c.ExecContext(t.Context(), "INSERT INTO kept VALUES ($1);DELETE FROM kept", 1)
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, 29, wrong.Second)
	require.NoError(t, c.QueryRowContext(t.Context(), "SELECT count(*) FROM kept").Scan(&after))
	assert.Equal(t, "0", after, "nothing was run")
	require.NoError(t, c.QueryRowContext(t.Context(), pidQuery).Scan(&after))
	assert.Equal(t, before, after, "the connection lives")
	require.NoError(t, c.Close())

	tx, err := e.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO kept VALUES ($1)", 1)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT $1::text", "a\x00")
	assert.Error(t, err)
	var n int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM kept WHERE n = $1", 1).Scan(&n), "the transaction lives")
	assert.Equal(t, 1, n)
	require.NoError(t, tx.Commit())
}

// A text without arguments may hold several statements, as migrations do.
func TestTextWithoutArguments_mayHoldSeveralStatements(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	table(t, e, "many (n int)")
	exec(t, e, "INSERT INTO many VALUES (1), (2); -- it's fine\nUPDATE many SET n = 3")
	assert.Equal(t, "2", value(t, e, "SELECT count(*) FROM many WHERE n = 3"))
}

// Rows of a query with arguments are read as others: given up early, with another statement after them, and ended by the context.
func TestArguments_rowsAndContexts(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	pid := value(t, e, pidQuery)
	for _, arg := range []any{100000, []byte("100000")} {
		var n int
		require.NoError(t, e.DB().QueryRowContext(t.Context(), "SELECT n FROM generate_series(1, $1) AS n", arg).Scan(&n))
		assert.Equal(t, 1, n)
		rows, err := e.DB().QueryContext(t.Context(), "SELECT n, 'infinity'::timestamptz AS at FROM generate_series(1, $1::int) AS n", arg)
		require.NoError(t, err)
		names, err := rows.Columns()
		require.NoError(t, err)
		assert.Equal(t, []string{"n", "at"}, names)
		count := 0
		for rows.Next() {
			var at string
			require.NoError(t, rows.Scan(&n, &at))
			count++
		}
		require.NoError(t, rows.Err())
		assert.Equal(t, 100000, count)
		_, err = e.DB().QueryContext(t.Context(), "SELECT 1 / (n - $1::int) FROM generate_series(1, 1) AS n", 1)
		assert.Equal(t, "22012", codeOf(err), "the query's own error")
	}
	assert.Equal(t, pid, value(t, e, pidQuery), "the connection lives")

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := e.DB().ExecContext(ctx, "SELECT pg_sleep($1)", 60)
		done <- err
	}()
	eventually(t, "1", active)
	stop()
	err := <-done
	assert.ErrorIs(t, err, context.Canceled)
	var canceled *CanceledError
	assert.ErrorAs(t, err, &canceled)
	_, err = e.DB().ExecContext(ctx, "SELECT $1::bytea", []byte("x"))
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "1", value(t, e, "SELECT 1"))
}

// What ends while the server is asked for the parameters' types has not been run.
func TestArguments_endedBeforeTheyAreRun(t *testing.T) {
	e := open(t, cluster.Primary.URI(), one)
	table(t, e, "barred (b bytea)")
	bar := func() *sql.Tx {
		tx, err := admin.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "LOCK TABLE barred")
		require.NoError(t, err)
		return tx
	}
	watch := open(t, cluster.Primary.AdminURI(), one)
	waits := func() {
		require.Eventually(t, func() bool {
			return value(t, watch, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock'") == "1"
		}, 20*time.Second, 5*time.Millisecond)
	}
	tx := bar()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := e.DB().ExecContext(ctx, "INSERT INTO barred VALUES ($1)", []byte("x"))
		done <- err
	}()
	waits()
	stop()
	err := <-done
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, binds.Canceled, e.Classify(err))
	require.NoError(t, tx.Rollback())

	tx = bar()
	go func() {
		_, err := e.DB().ExecContext(t.Context(), "INSERT INTO barred VALUES ($1)", []byte("y"))
		done <- err
	}()
	waits()
	_, err = watch.DB().ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock'")
	require.NoError(t, err)
	err = <-done
	assert.Equal(t, binds.NotSent, e.Classify(err), "%v", err)
	require.NoError(t, tx.Rollback())
	assert.Equal(t, "0", value(t, e, "SELECT count(*) FROM barred"))
}
