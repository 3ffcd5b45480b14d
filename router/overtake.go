package router

import (
	"time"

	"github.com/bindery-go/bindery/binds"
)

// overtakeGrace is how long a reader may hold what its writer does not show before it counts as diverged, where a
// replica may be first, see [binds.Overtaker]. A group of MySQL servers was level again within a tenth of it.
const overtakeGrace = time.Second

// An overtake is what is known of a reader that may show commits before its writer does. While it is ahead, its
// horizon stands still: it may have parted from the writer, which only time tells.
type overtake struct {
	ahead binds.Position // the reader's, which the writer lacked something of although it was asked later; nil: it did not
	since time.Duration  // the moment of the writer's sample that lacked it first
	level bool           // the reader was once compared with the writer, and was not ahead
}

// endOvertakesLocked forgets who was ahead of a writer that has ceased to answer: only its answers could have taken that back.
func (m *monitor) endOvertakesLocked() {
	for i := range m.states {
		if m.states[i].ahead != nil {
			m.states[i].overtake = overtake{level: true}
			m.tellLocked(i)
		}
	}
}

// compare takes in a sample of the writer that was asked for after the reader was at p.
func (o *overtake) compare(p binds.Position, writer sample) {
	w := writer.probe.Position
	if o.ahead != nil && o.ahead.Exceeds(w) {
		return
	}
	o.ahead = nil
	if p.Exceeds(w) {
		o.ahead, o.since = p, writer.at
		return
	}
	o.level = true
}

// lasts reports whether the reader has been ahead for so long that it has parted from the writer. It forgets that
// when the writer shows what the reader held.
func (o *overtake) lasts(writer sample) bool {
	return o.ahead != nil && writer.at-o.since >= overtakeGrace
}

// holds reports whether a reader at p gets no horizon for now. One that has never been found level may be one
// whose writer was replaced by a server that had less.
func (o *overtake) holds(p binds.Probe, writer sample) bool {
	if _, may := p.Position.(binds.Overtaker); !may || p.Server == writer.probe.Server {
		return false
	}
	return o.ahead != nil || !o.level && p.Position.Exceeds(writer.probe.Position)
}
