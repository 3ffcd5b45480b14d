package bindtest

import (
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// A pool keeps its bounds under load, and belongs to one engine.
func (s *suite) pools(t *testing.T) {
	t.Run("is bounded by default", func(t *testing.T) {
		w := s.writer(t)
		assert.Positive(t, w.Pool().MaxOpen)
		assert.Equal(t, w.Pool().MaxOpen, w.DB().Stats().MaxOpenConnections)
		for _, r := range s.readers(t, w) {
			assert.Positive(t, r.Pool().MaxOpen)
			assert.Equal(t, r.Pool().MaxOpen, r.DB().Stats().MaxOpenConnections)
		}
	})
	t.Run("keeps MaxOpen under load", s.keepsMaxOpen)
	t.Run("is its engine's own", s.ownsPool)
	t.Run("connections age out", s.agesOut)
}

func (s *suite) keepsMaxOpen(t *testing.T) {
	before := s.connections(t)
	bounds := binds.Pool{MaxOpen: 3}
	w := s.writer(t, binds.WithPool(bounds))
	for _, e := range []*binds.Engine{w, s.readers(t, w, binds.WithPool(bounds))[0].Engine} {
		require.LessOrEqual(t, e.Pool().MaxOpen, 3)
		var wg sync.WaitGroup
		for range 24 {
			wg.Go(func() {
				for range 20 {
					assert.NoError(t, drain(e.DB().QueryContext(t.Context(), "SELECT 1")))
					assert.LessOrEqual(t, e.DB().Stats().OpenConnections, e.Pool().MaxOpen)
				}
			})
		}
		wg.Wait()
	}
	assert.LessOrEqual(t, s.connections(t)-before, 6, "sessions on the server beyond MaxOpen")
}

// ownsPool holds every connection of one engine and uses another on the same URI.
func (s *suite) ownsPool(t *testing.T) {
	bounds := binds.WithPool(binds.Pool{MaxOpen: 1})
	a, b := s.writer(t, bounds), s.writer(t, bounds)
	require.NotSame(t, a.DB(), b.DB())
	var conns []*sql.Conn
	for range a.Pool().MaxOpen {
		c, err := a.DB().Conn(ctx(t))
		require.NoError(t, err)
		conns = append(conns, c)
	}
	works(t, b)
	for _, r := range s.readers(t, b, bounds) {
		works(t, r.Engine)
	}
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
}

func (s *suite) agesOut(t *testing.T) {
	if s.Embedded {
		w := s.writer(t)
		assert.Equal(t, "1", value(t, w, "SELECT 1"))
		return // connections to oneself need not age: see Harness.Embedded
	}
	w := s.writer(t, binds.WithPool(binds.Pool{MaxOpen: 1, MaxLifetime: time.Millisecond}))
	first := value(t, w, s.ConnID)
	s.eventually(t, func() bool { return value(t, w, s.ConnID) != first }, "the connection outlives its lifetime")
	d := s.writer(t)
	assert.Positive(t, d.Pool().MaxLifetime)
	assert.Positive(t, d.Pool().MaxIdleTime)
}
