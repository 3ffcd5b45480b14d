package bindtest

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

const (
	beltTable = "bindtest_belt"
	beltTrace = "SELECT count(*) * 1000 + sum(n) FROM bindtest_belt"
	stray     = "INSERT INTO bindtest_belt (id, n) VALUES (99, 99)"
)

// A way is one way to send a statement to a pool.
type way struct {
	name string
	send func(ctx context.Context, db *bun.DB, query string) error
	can  func(Statement) bool
}

var ways = []way{
	{"plain", func(ctx context.Context, db *bun.DB, q string) error {
		_, err := db.DB.ExecContext(ctx, q)
		return err
	}, always},
	{"query", func(ctx context.Context, db *bun.DB, q string) error { return drain(db.DB.QueryContext(ctx, q)) }, always},
	{"Bun", func(ctx context.Context, db *bun.DB, q string) error {
		_, err := db.ExecContext(ctx, "?", bun.Safe(q))
		return err
	}, always},
	{"Bun transaction", func(ctx context.Context, db *bun.DB, q string) error {
		return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "?", bun.Safe(q))
			return err
		})
	}, func(st Statement) bool { return !st.NoTx }},
	{"prepared", func(ctx context.Context, db *bun.DB, q string) error {
		stmt, err := db.DB.PrepareContext(ctx, q)
		if err != nil {
			return err
		}
		_, err = stmt.ExecContext(ctx)
		_ = stmt.Close() // the statement's own error counts
		return err
	}, func(st Statement) bool { return !st.NoPrepare }},
	{"pinned", func(ctx context.Context, db *bun.DB, q string) error {
		return pinned(ctx, db.DB, func(c *sql.Conn) error {
			_, err := c.ExecContext(ctx, q)
			return err
		})
	}, always},
}

func always(Statement) bool { return true }

func pinned(ctx context.Context, db *sql.DB, do func(*sql.Conn) error) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	err = do(c)
	_ = c.Close() // a connection that broke says so here again
	return err
}

// A reader refuses every statement that writes, however it is sent, and shows no trace of it;
// attempts to take its belt off do not last.
func (s *suite) belts(t *testing.T) {
	w := s.writer(t)
	s.table(t, w, beltTable, "id INTEGER PRIMARY KEY, n INTEGER")
	exec(t, w, "INSERT INTO bindtest_belt (id, n) VALUES (1, 1)")
	for _, r := range s.readers(t, w, binds.WithPool(binds.Pool{MaxOpen: 1})) {
		t.Run(r.Name(), func(t *testing.T) {
			s.sync(t)
			for _, st := range s.RefusedOnReader {
				if r.replica || !st.ReplicaOnly {
					t.Run(st.Reason, func(t *testing.T) { s.refuses(t, w, r.Engine, st) })
				}
			}
			for _, a := range s.Undo {
				t.Run("after "+a.Reason, func(t *testing.T) { s.keepsBelt(t, w, r.Engine, a) })
			}
			works(t, r.Engine)
		})
	}
}

func (s *suite) refuses(t *testing.T, w, r *binds.Engine, st Statement) {
	exec(t, w, st.Setup...)
	t.Cleanup(func() {
		for _, q := range st.Cleanup {
			_, err := w.DB().ExecContext(cleanupCtx(t), q)
			assert.NoError(t, err, q)
		}
	})
	s.sync(t)
	before := s.traces(t, w, r, st)
	for _, way := range ways {
		if !way.can(st) {
			continue
		}
		t.Run(way.name, func(t *testing.T) { s.assertRefused(t, r, way.send(ctx(t), s.bun(r), st.SQL), st.Faults) })
	}
	s.sync(t) // once for all ways: replicas take their time
	assert.Equal(t, before, s.traces(t, w, r, st), "the statement left a trace, sent in one of the ways")
}

func (s *suite) assertRefused(t *testing.T, r *binds.Engine, err error, allowed []binds.Fault) {
	t.Helper()
	if len(allowed) == 0 {
		allowed = []binds.Fault{binds.ReadOnly}
	}
	if assert.Error(t, err, "the reader obeyed") {
		got := r.Classify(err)
		assert.True(t, slices.Contains(allowed, got), "fault %v, want one of %v: %v", got, allowed, err)
	}
}

func (s *suite) traces(t *testing.T, w, r *binds.Engine, st Statement) []string {
	t.Helper()
	vs := []string{value(t, w, beltTrace), value(t, r, beltTrace)}
	if st.Trace != "" {
		vs = append(vs, value(t, w, st.Trace), value(t, r, st.Trace))
	}
	return vs
}

func (s *suite) keepsBelt(t *testing.T, w, r *binds.Engine, a Attempt) {
	before := s.traces(t, w, r, Statement{})
	_ = pinned(ctx(t), r.DB(), func(c *sql.Conn) error {
		_, _ = c.ExecContext(ctx(t), a.SQL) // it may fail: only the belt counts
		if a.Pinned {
			_, err := c.ExecContext(ctx(t), stray)
			s.assertRefused(t, r, err, nil)
		}
		return nil
	})
	_, err := r.DB().ExecContext(ctx(t), stray)
	s.assertRefused(t, r, err, nil)
	s.sync(t)
	require.Equal(t, before, s.traces(t, w, r, Statement{}), "the statement left a trace")
}
