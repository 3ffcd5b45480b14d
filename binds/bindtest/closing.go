package bindtest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bindery-go/bindery/binds"
)

// Close may be called twice, lets what runs finish, and leaves nothing behind. That no goroutine
// and no session outlives its engine is checked after every promise, see suite.run.
func (s *suite) closing(t *testing.T) {
	t.Run("before any use", func(t *testing.T) {
		e := s.writer(t)
		require.NoError(t, e.Close())
		require.NoError(t, e.Close())
	})
	t.Run("twice, with its native pool", s.closesTwice)
	t.Run("lets rows finish", s.closesUnderRows)
	t.Run("of one engine leaves its sibling", s.closesSibling)
}

func (s *suite) closesTwice(t *testing.T) {
	before, ignore := s.connections(t), goleak.IgnoreCurrent()
	e := s.writer(t)
	works(t, e)
	native, err := e.Native()
	require.NoError(t, err)
	require.NoError(t, native.PingContext(ctx(t)))
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	s.eventually(t, func() bool { return s.connections(t) <= before }, "a session outlives its engine")
	goleak.VerifyNone(t, ignore)
	assert.Error(t, e.DB().PingContext(ctx(t)))
	assert.Error(t, native.PingContext(ctx(t)))
	_, err = e.Native()
	assert.Error(t, err)
}

func (s *suite) closesUnderRows(t *testing.T) {
	before := s.connections(t)
	e := s.writer(t)
	rows, err := e.DB().QueryContext(ctx(t), "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, e.Close())
	n := 1
	for rows.Next() {
		n++
	}
	require.NoError(t, rows.Err(), "Close tore a statement that ran")
	require.NoError(t, rows.Close())
	assert.Equal(t, 3, n)
	s.eventually(t, func() bool { return s.connections(t) <= before }, "a session outlives its engine")
}

func (s *suite) closesSibling(t *testing.T) {
	w := s.writer(t)
	s.table(t, w, "bindtest_sibling", "id INTEGER PRIMARY KEY")
	r := w.Sibling("bindtest/sibling", binds.As(binds.Reader))
	assert.Equal(t, "0", value(t, r, "SELECT count(*) FROM bindtest_sibling"))
	require.NoError(t, r.Close())
	assert.Equal(t, "0", value(t, w, "SELECT count(*) FROM bindtest_sibling"))
	works(t, w)
}
