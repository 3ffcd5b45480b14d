package bindtest

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
)

// serverErrors: the server's errors mean the same for every kind of database, with constraint, table and columns as far as the server
// tells them, wrapped or not. What is no answer of the server means nothing.
func (s *suite) serverErrors(t *testing.T) {
	w := s.writer(t)
	require.Implements(t, (*binds.ErrorReader)(nil), s.Driver)
	s.table(t, w, "bindtest_parent", "id INTEGER PRIMARY KEY")
	s.table(t, w, "bindtest_err", "id INTEGER PRIMARY KEY, email VARCHAR(100) NOT NULL, a INTEGER, b INTEGER, parent_id INTEGER,"+
		" CONSTRAINT bindtest_email UNIQUE (email), CONSTRAINT bindtest_ab UNIQUE (a, b), CONSTRAINT bindtest_positive CHECK (a > 0),"+
		" CONSTRAINT bindtest_fk FOREIGN KEY (parent_id) REFERENCES bindtest_parent (id)")
	const insert = "INSERT INTO bindtest_err (id, email, a, b, parent_id) VALUES "
	exec(t, w, "INSERT INTO bindtest_parent (id) VALUES (1)", insert+"(1, 'it''s for key ''x''', 1, 1, 1)", insert+"(2, 'b', 2, 2, NULL)")
	lite, pg := s.Dialect == dialect.SQLite, s.Dialect == dialect.PG
	primary := map[bool]string{true: "bindtest_err_pkey", false: "PRIMARY"}[pg]
	for reason, row := range map[string]struct {
		query      string
		cause      binds.Cause
		constraint string
		columns    []string // where the server tells them: SQLite of unique keys, MySQL of foreign keys, all of NOT NULL
	}{
		"a primary key":                 {insert + "(1, 'c', 3, 3, NULL)", binds.UniqueViolation, primary, []string{"id"}},
		"a unique key":                  {insert + "(3, 'it''s for key ''x''', 3, 3, NULL)", binds.UniqueViolation, "bindtest_email", []string{"email"}},
		"a unique key of two columns":   {insert + "(3, 'c', 2, 2, NULL)", binds.UniqueViolation, "bindtest_ab", []string{"a", "b"}},
		"NULL":                          {insert + "(3, NULL, 3, 3, NULL)", binds.NotNullViolation, "", []string{"email"}},
		"no value":                      {"INSERT INTO bindtest_err (id) VALUES (3)", binds.NotNullViolation, "", []string{"email"}},
		"NULL by an UPDATE":             {"UPDATE bindtest_err SET email = NULL", binds.NotNullViolation, "", []string{"email"}},
		"a check":                       {insert + "(3, 'c', -1, 3, NULL)", binds.CheckViolation, "bindtest_positive", nil},
		"a parent that is missing":      {insert + "(3, 'c', 3, 3, 9)", binds.ForeignKeyViolation, "bindtest_fk", []string{"parent_id"}},
		"a parent that has a child":     {"DELETE FROM bindtest_parent", binds.ForeignKeyViolation, "bindtest_fk", []string{"parent_id"}},
		"no violation: a missing table": {"DELETE FROM bindtest_nowhere", binds.OtherCause, "", nil},
	} {
		_, err := w.DB().ExecContext(ctx(t), row.query)
		require.Error(t, err, reason)
		for _, err := range []error{err, fmt.Errorf("shop: save: %w", err)} {
			got := w.ReadError(err)
			require.NotNil(t, got, reason)
			assert.Equal(t, row.cause.String(), got.Cause.String(), "%s: %v", reason, err)
			assert.ErrorContains(t, err, got.Err.Error(), "the original is the driver's own") // not every driver's errors can be compared
			assert.NotEmpty(t, got.Code, reason)
			if row.cause == binds.OtherCause {
				continue
			}
			if !lite || row.cause == binds.CheckViolation {
				if row.constraint != "" { // PostgreSQL 18 has names for NOT NULL, too
					assert.Equal(t, row.constraint, got.Constraint, "%s: %v", reason, err)
				}
			}
			isForeign := row.cause == binds.ForeignKeyViolation
			if pg || lite && (row.cause == binds.UniqueViolation || row.cause == binds.NotNullViolation) || !pg && !lite && isForeign {
				assert.Equal(t, "bindtest_err", got.Table, "%s: %v", reason, err)
			}
			if row.cause == binds.NotNullViolation || lite && row.cause == binds.UniqueViolation || !pg && !lite && isForeign {
				assert.Equal(t, row.columns, got.Columns, "%s: %v", reason, err)
			}
			assert.NotContains(t, got.Error(), "for key '", "no value of the row is told")
		}
	}
	r := s.readers(t, w)[0]
	_, err := r.DB().ExecContext(ctx(t), "DELETE FROM bindtest_parent")
	require.Error(t, err)
	if read := r.ReadError(err); assert.NotNil(t, read, "%v", err) {
		assert.Equal(t, binds.ReadOnlyRefusal.String(), read.Cause.String(), "%v", err)
	}
	for _, err := range []error{nil, sql.ErrNoRows, sql.ErrTxDone, ctx(t).Err(), fmt.Errorf("no: %w", sql.ErrConnDone)} {
		assert.Nil(t, w.ReadError(err), "%v", err)
	}
	if !lite { // where the transaction is the lock
		s.lockErrors(t, w)
	}
}

// lockErrors: a lock that is not had at once, and two transactions that wait for each other.
func (s *suite) lockErrors(t *testing.T, w *binds.Engine) {
	begin := func() *sql.Tx {
		tx, err := w.DB().BeginTx(ctx(t), nil)
		require.NoError(t, err)
		t.Cleanup(func() { _ = tx.Rollback() }) // most have ended by then
		return tx
	}
	first, second := begin(), begin()
	update := func(tx *sql.Tx, id int) error {
		_, err := tx.ExecContext(ctx(t), fmt.Sprintf("UPDATE bindtest_err SET b = b WHERE id = %d", id))
		return err
	}
	lock := func(tx *sql.Tx, id int, how string) error {
		var n int
		return tx.QueryRowContext(ctx(t), fmt.Sprintf("SELECT id FROM bindtest_err WHERE id = %d FOR UPDATE %s", id, how)).Scan(&n)
	}
	require.NoError(t, lock(first, 1, ""))
	third := begin()
	err := lock(third, 1, "NOWAIT")
	require.Error(t, err)
	assert.Equal(t, binds.LockNotAvailable.String(), w.ReadError(err).Cause.String(), "%v", err)
	require.NoError(t, lock(second, 2, ""))
	done := make(chan error, 1)
	fight := func(tx *sql.Tx, id int) error {
		err := update(tx, id)
		if err != nil { // the loser's end frees the other
			_ = tx.Rollback() // MySQL has done so
		}
		return err
	}
	go func() { done <- fight(second, 1) }()
	errs := []error{fight(first, 2), <-done}
	for _, err := range errs {
		if err != nil {
			assert.Equal(t, binds.Deadlock.String(), w.ReadError(err).Cause.String(), "%v", err)
		}
	}
	assert.Contains(t, errs, nil, "one goes on")
	assert.NotEqual(t, []error{nil, nil}, errs, "one does not")
}
