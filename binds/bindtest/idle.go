package bindtest

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

const idleInsert = "INSERT INTO bindtest_idle (id) VALUES (1)"

// afterDeath are uses of a pool whose idle connection has died. They must all succeed at once.
var afterDeath = map[string]func(ctx context.Context, db *sql.DB) error{
	"Exec": func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, idleInsert)
		return err
	},
	"Query": func(ctx context.Context, db *sql.DB) error {
		return errors.Join(drain(db.QueryContext(ctx, "SELECT 1")), second(db.ExecContext(ctx, idleInsert)))
	},
	"BeginTx": func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		return errors.Join(second(tx.ExecContext(ctx, idleInsert)), tx.Commit())
	},
	"Prepare": func(ctx context.Context, db *sql.DB) error {
		stmt, err := db.PrepareContext(ctx, idleInsert)
		if err != nil {
			return err
		}
		return errors.Join(second(stmt.ExecContext(ctx)), stmt.Close())
	},
	"Conn": func(ctx context.Context, db *sql.DB) error {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		return errors.Join(second(c.ExecContext(ctx, idleInsert)), c.Close())
	},
	"Ping": func(ctx context.Context, db *sql.DB) error {
		return errors.Join(db.PingContext(ctx), second(db.ExecContext(ctx, idleInsert)))
	},
}

func second[T any](_ T, err error) error { return err }

// A connection whose server side ended while it was idle is found when it is taken from the pool,
// and replaced: whatever comes next succeeds, and happens once.
func (s *suite) deadIdle(t *testing.T) {
	if s.Embedded {
		return // there is no server side: see Harness.Embedded
	}
	for name, use := range afterDeath {
		t.Run("writer, then "+name, func(t *testing.T) {
			e := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1}))
			s.table(t, e, "bindtest_idle", "id INTEGER PRIMARY KEY")
			s.kill(t, value(t, e, s.ConnID))
			require.NoError(t, use(ctx(t), e.DB()))
			assert.Equal(t, "1", value(t, e, "SELECT count(*) FROM bindtest_idle"))
		})
	}
	t.Run("writer, a statement prepared before", s.idlePrepared)
	t.Run("writer, many at once", s.idleMany)
	for name, use := range uses {
		t.Run("reader beside the writer, then "+name, func(t *testing.T) {
			r := s.readers(t, s.writer(t), binds.WithPool(binds.Pool{MaxOpen: 1}))[0]
			s.kill(t, value(t, r.Engine, s.ConnID))
			require.NoError(t, use(ctx(t), r.Engine))
		})
	}
}

func (s *suite) idlePrepared(t *testing.T) {
	e := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1}))
	s.table(t, e, "bindtest_idle", "id INTEGER PRIMARY KEY")
	stmt, err := e.DB().PrepareContext(ctx(t), idleInsert)
	require.NoError(t, err)
	s.kill(t, value(t, e, s.ConnID))
	_, err = stmt.ExecContext(ctx(t))
	require.NoError(t, err)
	require.NoError(t, stmt.Close())
	assert.Equal(t, "1", value(t, e, "SELECT count(*) FROM bindtest_idle"))
}

func (s *suite) idleMany(t *testing.T) {
	const n = 5
	e := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: n}))
	s.table(t, e, "bindtest_idle", "id INTEGER PRIMARY KEY")
	for _, id := range s.idle(t, e.DB(), n) {
		s.kill(t, id)
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, err := e.DB().ExecContext(t.Context(), "INSERT INTO bindtest_idle (id) VALUES ("+strconv.Itoa(i)+")")
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	assert.Equal(t, strconv.Itoa(n), value(t, e, "SELECT count(*) FROM bindtest_idle"))
}

// idle leaves n connections idle in the pool and returns their identifiers.
func (s *suite) idle(t *testing.T, db *sql.DB, n int) []string {
	t.Helper()
	ids := make([]string, n)
	conns := make([]*sql.Conn, n)
	for i := range n {
		c, err := db.Conn(ctx(t))
		require.NoError(t, err)
		require.NoError(t, c.QueryRowContext(ctx(t), s.ConnID).Scan(&ids[i]))
		conns[i] = c
	}
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
	return ids
}
