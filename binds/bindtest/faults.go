package bindtest

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// An error says what it proves, wrapped or not.
func (s *suite) faults(t *testing.T) {
	w := s.writer(t)
	s.table(t, w, "bindtest_fault", "id INTEGER PRIMARY KEY, n INTEGER NOT NULL")
	exec(t, w, "INSERT INTO bindtest_fault (id, n) VALUES (1, 1)")
	for _, c := range append(commonFaults(), s.Faults...) {
		t.Run(c.Reason, func(t *testing.T) {
			err := c.Do(ctx(t), w)
			require.Error(t, err)
			assert.Equal(t, c.Want.String(), w.Classify(err).String(), "fault of %v", err)
			wrapped := fmt.Errorf("shop: save: %w", err)
			assert.Equal(t, c.Want.String(), w.Classify(wrapped).String(), "fault of %v", wrapped)
			works(t, w)
		})
	}
	t.Run("no error", func(t *testing.T) { assert.Equal(t, binds.Unclassified, w.Classify(nil)) })
}

func commonFaults() []FaultCase {
	run := func(query string) func(context.Context, *binds.Engine) error {
		return func(ctx context.Context, e *binds.Engine) error { return second(e.DB().ExecContext(ctx, query)) }
	}
	return []FaultCase{
		{"a key that exists", run("INSERT INTO bindtest_fault (id, n) VALUES (1, 2)"), binds.Refused},
		{"NULL where none may be", run("INSERT INTO bindtest_fault (id, n) VALUES (2, NULL)"), binds.Refused},
		{"bad syntax", run("SELEC 1"), binds.Refused},
		{"a table that does not exist", run("SELECT 1 FROM bindtest_no_such_table"), binds.Refused},
		{"a column that does not exist", run("SELECT no_such_column FROM bindtest_fault"), binds.Refused},
		{"no rows", func(ctx context.Context, e *binds.Engine) error {
			var v int
			return e.DB().QueryRowContext(ctx, "SELECT id FROM bindtest_fault WHERE id = 7").Scan(&v)
		}, binds.Unclassified},
		{"a value that does not fit the Go type", func(ctx context.Context, e *binds.Engine) error {
			var v int
			return e.DB().QueryRowContext(ctx, "SELECT 'text'").Scan(&v)
		}, binds.Unclassified},
		{"a transaction that is done", func(ctx context.Context, e *binds.Engine) error {
			tx, err := e.DB().BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if err := tx.Commit(); err != nil {
				return err
			}
			return tx.Commit()
		}, binds.Unclassified},
		{"a connection that is closed", func(ctx context.Context, e *binds.Engine) error {
			c, err := e.DB().Conn(ctx)
			if err != nil {
				return err
			}
			if err := c.Close(); err != nil {
				return err
			}
			return c.PingContext(ctx)
		}, binds.Unclassified},
		{"sql.ErrNoRows itself", func(context.Context, *binds.Engine) error { return sql.ErrNoRows }, binds.Unclassified},
	}
}
