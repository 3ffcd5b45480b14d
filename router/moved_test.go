package router

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestMoved_knowsWhoIsLate lets connections report what they found after the monitor has found out
// by itself: that is no second server behind the address.
func TestMoved_knowsWhoIsLate(t *testing.T) {
	reader := newBench(t, "shop", 1, nil).readers[0]
	r := &Router{readers: []*Reader{reader}, logger: slog.New(slog.DiscardHandler), started: time.Now()}
	m := newMonitor(r, Freshness{}.withDefaults())
	s := &m.states[0]
	s.server = "old"
	reader.publish(&s.standing)
	before := reader.claim.Load()
	s.server = "new"
	reader.publish(&s.standing)

	m.moved(reader, before, "new")
	assert.Zero(t, s.suspect, "the monitor knows the new server")
	m.moved(reader, reader.claim.Load(), "third")
	assert.NotZero(t, s.suspect, "nobody knows the third")
}
