package router

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// statements are the ways in which a connection may be given one.
var statements = map[string]func(c driver.Conn) error{
	"exec": func(c driver.Conn) error {
		_, err := c.(driver.ExecerContext).ExecContext(context.Background(), "SELECT", nil)
		return err
	},
	"query": func(c driver.Conn) error {
		_, err := c.(driver.QueryerContext).QueryContext(context.Background(), "SELECT", nil)
		return err
	},
	"prepare": func(c driver.Conn) error {
		_, err := c.(driver.ConnPrepareContext).PrepareContext(context.Background(), "SELECT")
		return err
	},
	"begin": func(c driver.Conn) error {
		_, err := c.(driver.ConnBeginTx).BeginTx(context.Background(), driver.TxOptions{})
		return err
	},
}

// TestARetiredConnectionRunsNothing retires the connections of an engine while one is being opened:
// database/sql may give that to a statement without a reset.
func TestARetiredConnectionRunsNothing(t *testing.T) {
	for name, run := range statements {
		t.Run(name, func(t *testing.T) {
			w := &wire{}
			n := noticing(w, newPeople())
			n.conns, n.proven = new(conns), true
			age := n.age()
			n.conns.retire()
			old, young := n.watch(&wireConn{wire: w}, age), n.watch(&wireConn{wire: w}, n.age())
			require.NoError(t, run(young))
			w.events = nil
			require.ErrorIs(t, run(old), driver.ErrBadConn)
			assert.Empty(t, w.events, "nothing was sent")
			assert.False(t, old.(driver.Validator).IsValid())
			assert.True(t, young.(driver.Validator).IsValid())

			n.proven = false // the writer's own data needs no proof: only the pool drops the connection
			require.NoError(t, run(old))
		})
	}
	t.Run("a transaction that is open goes on", func(t *testing.T) {
		n := noticing(&wire{}, newPeople())
		n.conns, n.proven = new(conns), true
		c := n.watch(&wireConn{wire: &wire{}}, n.age())
		require.NoError(t, statements["begin"](c))
		n.conns.retire()
		assert.NoError(t, statements["query"](c))
	})
}

// TestRowsThatBreakTellTheirOutcome breaks the connection under the rows of a write.
func TestRowsThatBreakTellTheirOutcome(t *testing.T) {
	errUnsure := errors.New("unsure")
	for name, end := range map[string]func(rows driver.Rows) error{
		"close":    func(rows driver.Rows) error { return rows.Close() },
		"next set": func(rows driver.Rows) error { return rows.(driver.RowsNextResultSet).NextResultSet() },
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{sets: 1}
			n := noticing(w, newPeople())
			n.unsure = func(err error) error { return errors.Join(errUnsure, err) }
			rows, err := n.watch(&wireConn{wire: w}, 0).(driver.QueryerContext).QueryContext(t.Context(), "UPDATE", nil)
			require.NoError(t, err)
			w.err = driver.ErrBadConn
			require.ErrorIs(t, end(rows), errUnsure)
		})
	}
}

func TestAClosedConnectionIsForgotten(t *testing.T) {
	n := noticing(&wire{}, newPeople())
	n.conns = new(conns)
	c := n.watch(&wireConn{wire: &wire{}}, n.age())
	assert.Len(t, n.conns.open, 1)
	require.NoError(t, c.Close())
	assert.Empty(t, n.conns.open)
}
