package bindtest

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
)

// A querying is one way to send a query.
type querying struct {
	name  string
	query func(s *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error)
}

var queryings = []querying{
	{"plain", func(_ *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		return e.DB().QueryContext(ctx(t), query)
	}},
	{"with an argument", func(s *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		return e.DB().QueryContext(ctx(t), query+" AND id < "+s.placeholder(), 100)
	}},
	{"prepared", func(_ *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		stmt, err := e.DB().PrepareContext(ctx(t), query)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, stmt.Close()) })
		return stmt.QueryContext(ctx(t))
	}},
	{"prepared, a second time", func(_ *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		stmt, err := e.DB().PrepareContext(ctx(t), query)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, stmt.Close()) })
		_ = drain(stmt.QueryContext(ctx(t))) // the second time counts
		return stmt.QueryContext(ctx(t))
	}},
	{"pinned", func(_ *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		conn, err := e.DB().Conn(ctx(t))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, conn.Close()) })
		return conn.QueryContext(ctx(t), query)
	}},
	{"in a transaction", func(_ *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		return begun(t, e).QueryContext(ctx(t), query)
	}},
	{"prepared in a transaction", func(_ *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		stmt, err := begun(t, e).PrepareContext(ctx(t), query)
		require.NoError(t, err)
		return stmt.QueryContext(ctx(t))
	}},
	{"Bun", func(s *suite, t *testing.T, e *binds.Engine, query string) (*sql.Rows, error) {
		return s.bun(e).QueryContext(ctx(t), query+" AND id < ?", 100)
	}},
}

// begun begins a transaction that the test's end rolls back.
func begun(t *testing.T, e *binds.Engine) *sql.Tx {
	t.Helper()
	tx, err := e.DB().BeginTx(context.WithoutCancel(t.Context()), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tx.Rollback()) })
	return tx
}

// placeholder is how the database writes the first argument of database/sql.
func (s *suite) placeholder() string {
	if s.Dialect == dialect.PG {
		return "$1"
	}
	return "?"
}

// What a query fails with before its first row is its own error, not one of its rows: nobody has seen anything of
// the result, so that the query may run elsewhere. What fails after a row is an error of the rows.
func (s *suite) firstRows(t *testing.T) {
	w := s.writer(t)
	s.table(t, w, "bindtest_first", "id INTEGER PRIMARY KEY, n INTEGER NOT NULL, word VARCHAR(20)")
	exec(t, w, "INSERT INTO bindtest_first (id, n, word) VALUES (1, 1, 'one'), (2, 2, NULL), (3, 0, 'three'), (4, 4, 'four')")
	s.sync(t)
	engines := []*binds.Engine{w}
	for _, r := range s.readers(t, w) {
		engines = append(engines, r.Engine)
	}
	for _, e := range engines {
		t.Run(e.Name(), func(t *testing.T) {
			for _, way := range queryings {
				t.Run(way.name, func(t *testing.T) { s.firstRow(t, e, way) })
			}
			works(t, e)
		})
	}
}

func (s *suite) firstRow(t *testing.T, e *binds.Engine, way querying) {
	from := func(condition string) string {
		return "SELECT id, " + s.FailsAtZero + " AS m FROM bindtest_first WHERE " + condition
	}
	t.Run("an error before the first row", func(t *testing.T) {
		rows, err := way.query(s, t, e, from("id >= 3"))
		if assert.Error(t, err, "the query returned without its first row") {
			assert.Equal(t, binds.Refused.String(), e.Classify(err).String(), "fault of %v", err)
			return
		}
		assert.NoError(t, drain(rows, nil), "and the rows have the error")
	})
	t.Run("an error after a row", func(t *testing.T) {
		rows, err := way.query(s, t, e, from("id >= 2"))
		require.NoError(t, err, "there is a row before it")
		ids, err := column[int](rows)
		assert.Equal(t, []int{2}, ids)
		require.Error(t, err)
		assert.Equal(t, binds.Refused.String(), e.Classify(err).String(), "fault of %v", err)
	})
	t.Run("no row", func(t *testing.T) {
		rows, err := way.query(s, t, e, from("id > 90"))
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		assert.Equal(t, []string{"id", "m"}, columns)
		ids, err := column[int](rows)
		require.NoError(t, err)
		assert.Empty(t, ids)
	})
	t.Run("each row once", func(t *testing.T) {
		rows, err := way.query(s, t, e, "SELECT word, id FROM bindtest_first WHERE id > 0")
		require.NoError(t, err)
		words, err := column[sql.Null[string]](rows)
		require.NoError(t, err)
		assert.Equal(t, []sql.Null[string]{{V: "one", Valid: true}, {}, {V: "three", Valid: true}, {V: "four", Valid: true}}, words)
	})
	t.Run("bytes that are the driver's", func(t *testing.T) {
		rows, err := way.query(s, t, e, "SELECT word, id FROM bindtest_first WHERE id <> 2")
		require.NoError(t, err)
		var words []string
		for rows.Next() {
			var word, id sql.RawBytes
			require.NoError(t, rows.Scan(&word, &id))
			words = append(words, string(word)+" "+string(id))
		}
		require.NoError(t, errors.Join(rows.Err(), rows.Close()))
		assert.Equal(t, []string{"one 1", "three 3", "four 4"}, words)
	})
	t.Run("rows that nobody reads", func(t *testing.T) {
		rows, err := way.query(s, t, e, "SELECT id, word FROM bindtest_first WHERE id > 0")
		require.NoError(t, err)
		require.NoError(t, rows.Close())
	})
}

// column reads the first of two columns to the end, and closes the rows.
func column[T any](rows *sql.Rows) (values []T, err error) {
	for rows.Next() {
		var v T
		var other any
		if err := rows.Scan(&v, &other); err != nil {
			return values, errors.Join(err, rows.Close())
		}
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		_ = rows.Close() // the first error counts
		return values, err
	}
	return values, rows.Close()
}
