package bindtest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// Opening makes no connection, and refuses what it does not know.
func (s *suite) opening(t *testing.T) {
	t.Run("makes no connection", s.opensLazily)
	t.Run("a dead server opens", func(t *testing.T) {
		if s.Dead != "" {
			s.open(t, "bindtest/dead", s.Dead)
		}
	})
	t.Run("refuses an unknown parameter", s.refusesUnknownParameter)
	t.Run("names the engine", func(t *testing.T) {
		assert.Equal(t, "bindtest/writer", s.writer(t).String())
		assert.NotEmpty(t, s.Driver.Name())
	})
}

func (s *suite) opensLazily(t *testing.T) {
	before := s.connections(t)
	require.Eventually(t, func() bool { // those of the tests before may be about to end
		now := s.connections(t)
		same := now == before
		before = now
		return same
	}, 10*time.Second, 100*time.Millisecond)
	w := s.writer(t)
	rs := s.readers(t, w)
	_, err := w.Native()
	require.NoError(t, err)
	assert.Zero(t, w.DB().Stats().OpenConnections)
	assert.Equal(t, binds.Writer, w.Role())
	for _, r := range rs {
		assert.Zero(t, r.DB().Stats().OpenConnections)
		assert.Equal(t, binds.Reader, r.Role())
	}
	assert.Equal(t, before, s.connections(t), "opening made a session")
	require.NoError(t, w.Ping(ctx(t)))
	assert.Positive(t, w.DB().Stats().OpenConnections)
	works(t, w)
	for _, r := range rs {
		works(t, r.Engine)
	}
}

func (s *suite) refusesUnknownParameter(t *testing.T) {
	join := "?"
	if strings.Contains(s.Writer, "?") {
		join = "&"
	}
	_, err := s.drivers.Open(ctx(t), "bindtest/writer", s.Writer+join+"no_such_parameter=1")
	require.Error(t, err)
	var open *binds.OpenError
	require.ErrorAs(t, err, &open)
	assert.Equal(t, "bindtest/writer", open.Engine)
	assert.Contains(t, err.Error(), "no_such_parameter")
}

// A dialect bears the right name and belongs to whoever asked for it: it holds their models' tables.
func (s *suite) dialects(t *testing.T) {
	a, b := s.Driver.Dialect(), s.Driver.Dialect()
	require.NotNil(t, a)
	assert.Equal(t, s.Dialect, a.Name())
	assert.NotSame(t, a, b, "two callers share a dialect")
	assert.NotSame(t, a.Tables(), b.Tables(), "two dialects share their tables")
}
