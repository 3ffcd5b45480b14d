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

// A connection that breaks inside a transaction is the transaction's error, and no work of it
// persists; the pool recovers by itself.
func (s *suite) brokenTx(t *testing.T) {
	if s.Embedded {
		return // there is no server side: see Harness.Embedded
	}
	for name, then := range map[string]func(*sql.Tx) error{
		"Exec": func(tx *sql.Tx) error {
			return second(tx.ExecContext(ctx(t), "INSERT INTO bindtest_broken (id) VALUES (2)"))
		},
		"Query":  func(tx *sql.Tx) error { return drain(tx.QueryContext(ctx(t), "SELECT 1")) },
		"Commit": func(tx *sql.Tx) error { return tx.Commit() },
	} {
		t.Run(name, func(t *testing.T) {
			e := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1}))
			s.table(t, e, "bindtest_broken", "id INTEGER PRIMARY KEY")
			tx, err := e.DB().BeginTx(ctx(t), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(ctx(t), "INSERT INTO bindtest_broken (id) VALUES (1)")
			require.NoError(t, err)
			var id string
			require.NoError(t, tx.QueryRowContext(ctx(t), s.ConnID).Scan(&id))
			s.kill(t, id)
			err = then(tx)
			_ = tx.Rollback() // the connection is gone, or the transaction done
			require.Error(t, err, "the transaction went on without its connection")
			assert.NotEqual(t, binds.Refused, e.Classify(err), "fault of %v", err)
			works(t, e)
			assert.Equal(t, "0", value(t, e, "SELECT count(*) FROM bindtest_broken"))
		})
	}
}

// Whatever a BEGIN asks for and whether it is granted, the pool serves the next statement.
func (s *suite) failedBegin(t *testing.T) {
	w := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1}))
	t.Run(w.Name(), func(t *testing.T) { s.begins(t, w) })
	for _, r := range s.readers(t, w, binds.WithPool(binds.Pool{MaxOpen: 1})) {
		t.Run(r.Name(), func(t *testing.T) { s.begins(t, r.Engine) })
	}
}

func (s *suite) begins(t *testing.T, e *binds.Engine) {
	for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
		for _, readOnly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v read-only %v", level, readOnly), func(t *testing.T) {
				tx, err := e.DB().BeginTx(ctx(t), &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
				if err == nil {
					assert.NoError(t, drain(tx.QueryContext(ctx(t), "SELECT 1")))
					assert.NoError(t, tx.Rollback())
				} else {
					assert.NotEqual(t, binds.Unknown, e.Classify(err), "fault of %v", err)
				}
				works(t, e)
			})
		}
	}
	t.Run("already cancelled", func(t *testing.T) {
		c, cancel := context.WithCancel(ctx(t))
		cancel()
		_, err := e.DB().BeginTx(c, nil)
		require.ErrorIs(t, err, context.Canceled)
		works(t, e)
	})
	t.Run("default", func(t *testing.T) {
		tx, err := e.DB().BeginTx(ctx(t), nil)
		require.NoError(t, err)
		require.NoError(t, drain(tx.QueryContext(ctx(t), "SELECT 1")))
		require.NoError(t, tx.Commit())
	})
}
