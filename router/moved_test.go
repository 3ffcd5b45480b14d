package router

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
)

// TestMoved_knowsWhoIsLate lets connections report what they found after the monitor has found out
// by itself: that is no second server behind the address.
func TestMoved_knowsWhoIsLate(t *testing.T) {
	reader := newBench(t, "shop", 1, nil).readers[0]
	r := &Router{readers: []*Reader{reader}, logger: slog.New(slog.DiscardHandler), line: newLine(nil)}
	m := newMonitor(r, Freshness{}.WithDefaults())
	s := &m.states[0]
	s.server = "old"
	reader.publish(&s.standing, r.now())
	before := reader.claim.Load()
	s.server = "new"
	reader.publish(&s.standing, r.now())

	m.moved(reader, before, "new")
	assert.Empty(t, s.stranger, "the monitor knows the new server")
	m.moved(reader, reader.claim.Load(), "third")
	assert.Equal(t, "third", s.stranger, "nobody knows the third")
}

// TestAStranger goes through what the monitor may find after a connection has reached another server.
func TestAStranger(t *testing.T) {
	type answer struct {
		server string
		asked  time.Duration
	}
	for reason, row := range map[string]struct {
		answers  []answer
		balanced bool
		open     bool // the question is
	}{
		"it is the one that was known":        {[]answer{{"known", 20}}, true, false},
		"it is the stranger: it has moved":    {[]answer{{"stranger", 20}, {"stranger", 30}}, false, false},
		"it was asked before":                 {[]answer{{"known", 5}}, false, true},
		"it was asked before, and again":      {[]answer{{"known", 5}, {"known", 20}}, true, false},
		"it was asked before, on the new one": {[]answer{{"stranger", 5}, {"stranger", 20}}, false, false},
		"it is a third":                       {[]answer{{"third", 20}}, false, false},
	} {
		t.Run(reason, func(t *testing.T) {
			var s readerState
			s.server, s.stranger, s.suspect = "known", "stranger", 10
			for _, a := range row.answers {
				s.judge(binds.Probe{Server: a.server}, a.asked, false)
				s.server = a.server
			}
			assert.Equal(t, row.balanced, s.balanced)
			assert.Equal(t, row.open, s.stranger != "")
		})
	}
}
