package bindtest

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// A SessionChange is a statement that leaves something in its session, and how that is seen there.
type SessionChange struct {
	Reason string // the subtest's name
	SQL    string
	// Seen is a query of one value that has another answer in a session where the statement has run.
	Seen string
	// NoPrepare says that it cannot be prepared.
	NoPrepare bool
	// NoTx says that it changes nothing in a transaction.
	NoTx bool
	// WriterOnly says that a reader does not run it.
	WriterOnly bool
	// Local says that a transaction's end takes it back: in a transaction it leaves nothing, and the connection stays.
	Local bool
}

// Whoever gets a connection finds its session as that of a new one, whatever those before have set there. While one has it,
// it is his; and so is the whole of a pool for sessions.
func (s *suite) sessions(t *testing.T) {
	w := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1}))
	engines := []*binds.Engine{w}
	for _, r := range s.readers(t, w, binds.WithPool(binds.Pool{MaxOpen: 1})) {
		engines = append(engines, r.Engine)
	}
	for _, e := range engines {
		t.Run(e.Name(), func(t *testing.T) {
			for _, c := range s.Sessions {
				if e != w && (c.WriterOnly || c.Local) {
					continue
				}
				t.Run(c.Reason, func(t *testing.T) { s.leavesNoSession(t, e, c) })
			}
			if s.ConnID != "" {
				id := value(t, e, s.ConnID)
				works(t, e)
				assert.Equal(t, id, value(t, e, s.ConnID), "a connection that was only used is not kept")
			}
		})
	}
	t.Run("a pool for sessions", func(t *testing.T) { s.keepsSession(t, w) })
}

func (s *suite) leavesNoSession(t *testing.T, e *binds.Engine, c SessionChange) {
	before := value(t, e, c.Seen)
	for _, way := range ways {
		switch {
		case c.NoPrepare && way.name == "prepared", (c.NoTx || c.Local) && way.name == "Bun transaction":
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			_ = way.send(ctx(t), s.bun(e), c.SQL) // one that fails may have left something, too
			s.eventually(t, func() bool { return value(t, e, c.Seen) == before }, "the next user of the connection has it")
		})
	}
	t.Run("for its user", func(t *testing.T) {
		require.NoError(t, pinned(ctx(t), e.DB(), func(conn *sql.Conn) error {
			if c.Local {
				return nil
			}
			var now sql.NullString
			_, err := conn.ExecContext(ctx(t), c.SQL)
			if err == nil {
				err = conn.QueryRowContext(ctx(t), c.Seen).Scan(&now)
			}
			assert.NotEqual(t, before, now.String, "it is not there for the one who made it")
			return err
		}))
		s.eventually(t, func() bool { return value(t, e, c.Seen) == before }, "the next user of the connection has it")
	})
	if !c.Local || s.ConnID == "" {
		return
	}
	t.Run("in a transaction", func(t *testing.T) {
		id := value(t, e, s.ConnID)
		tx, err := e.DB().BeginTx(ctx(t), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx(t), c.SQL)
		require.NoError(t, errors.Join(err, tx.Commit()))
		assert.Equal(t, before, value(t, e, c.Seen))
		assert.Equal(t, id, value(t, e, s.ConnID), "what ends with the transaction costs no connection")
	})
}

// keepsSession finds what one statement has set with the next one, and nothing of it outside.
func (s *suite) keepsSession(t *testing.T, w *binds.Engine) {
	for _, c := range s.Sessions {
		if c.Local {
			continue
		}
		t.Run(c.Reason, func(t *testing.T) {
			before := value(t, w, c.Seen)
			require.NoError(t, pinned(ctx(t), w.DB(), func(*sql.Conn) error { // of a pool of one: the other pool does not wait for it
				pool := w.SessionPool()
				var now sql.NullString
				_, err := pool.ExecContext(ctx(t), c.SQL)
				if err == nil {
					err = pool.QueryRowContext(ctx(t), c.Seen).Scan(&now)
				}
				assert.NotEqual(t, before, now.String)
				return errors.Join(err, pool.Close())
			}))
			s.eventually(t, func() bool { return value(t, w, c.Seen) == before }, "it has got out of its pool")
		})
	}
	works(t, w)
}
