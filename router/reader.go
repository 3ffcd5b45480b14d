package router

import (
	"database/sql"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// A Reader is a reader engine together with what a [Policy] may want to know of it. It is safe for
// concurrent use.
type Reader struct {
	// What every read looks at stands together: that is one line of the processor's cache.

	// work counts the reads in flight in its lower bits, and above them those that were given to the
	// reader: one of them is one addition.
	work atomic.Uint64
	// latency is a moving average in nanoseconds, its lowest bit set when it was aged since the
	// last measurement and the next one should be taken. Zero means that none was taken yet.
	latency atomic.Int64
	lease   atomic.Pointer[lease]
	db      *sql.DB // engine's
	weight  int
	place   int // among the readers of its router

	engine  *binds.Engine
	started time.Time // of its clock
	claim   atomic.Pointer[claim]
	conns   conns
}

// NewReader returns a reader for e. Weight is its share relative to other readers; less than one
// counts as one.
func NewReader(e *binds.Engine, weight int) *Reader {
	r := &Reader{engine: e, db: e.DB(), weight: max(weight, 1), started: time.Now()}
	r.lease.Store(&lease{reader: r})
	return r
}

// claim is what is known of the server behind a reader, for each new connection to prove.
type claim struct {
	server string
	proven binds.Position // the state that its horizon promises; nil if none
	life   uint64
	// balanced says that the address leads to several servers: connections prove nothing.
	balanced bool
}

// Engine returns the engine that r reads from.
func (r *Reader) Engine() *binds.Engine { return r.engine }

// Name returns the engine's name.
func (r *Reader) Name() string { return r.engine.Name() }

// Weight returns the configured weight, at least 1.
func (r *Reader) Weight() int { return r.weight }

// InFlight returns how many reads wait for this reader's first answer.
func (r *Reader) InFlight() int64 { return inFlight(r.work.Load()) }

// Latency returns a moving average of the time to a read's first answer, zero before the first
// measurement. It ages while the reader is passed over, so that a reader that was slow once is
// tried again.
func (r *Reader) Latency() time.Duration { return time.Duration(r.latency.Load() &^ aged) }

// Served returns how many reads this reader was given.
func (r *Reader) Served() uint64 { return r.work.Load() >> flightBits }

const (
	flightBits = 20
	oneRead    = 1<<flightBits + 1 // begins
	oneLess    = ^uint64(0)        // ends

	aged = 1 // the lowest bit of Reader.latency

	// Reading the clock costs more than the rest of a decision: one read in sampleEvery is measured.
	sampleEvery = 8
	// A new measurement counts for a quarter.
	smoothing = 4
	// A reader that refuses connections answers fast: it counts as this slow until it is measured.
	failureLatency = time.Second
)

// begin notes a read; it returns the time if the read is to be measured, else zero.
func (r *Reader) begin() (start time.Duration) {
	n, l := r.work.Add(oneRead)>>flightBits, r.latency.Load()
	if n%sampleEvery == 0 || l == 0 || l&aged != 0 {
		return r.now()
	}
	return 0
}

// inFlight is what a Reader's work says of that.
func inFlight(work uint64) int64 { return int64(work & (1<<flightBits - 1)) }

// end notes that a read's first answer came.
func (r *Reader) end(start time.Duration) {
	r.work.Add(oneLess)
	if start != 0 {
		r.measured(r.now() - start)
	}
}

// failed notes that a read could not be sent.
func (r *Reader) failed() {
	r.work.Add(oneLess)
	r.latency.Store(int64(max(r.Latency(), failureLatency)) &^ aged)
}

func (r *Reader) measured(d time.Duration) {
	old := r.latency.Load()
	next := int64(d)
	if old&^aged != 0 {
		next = old + (int64(d)-old)/smoothing
	}
	r.latency.Store(max(next, 2) &^ aged)
}

// age lowers the average by a sixteenth.
func (r *Reader) age() {
	if l := r.latency.Load(); l > 0 {
		r.latency.Store((l - l/16) | aged)
	}
}

// load is what [LeastLoaded] compares, divided by weights: the reads in flight and one more, times latency.
// It is zero where nothing was measured yet: find out.
func (r *Reader) load() uint64 {
	return uint64(inFlight(r.work.Load())+1) * uint64(r.latency.Load())
}

// now is the reader's monotonic clock. It is never zero.
func (r *Reader) now() time.Duration { return max(time.Since(r.started), 1) }

// publish makes a reader's standing known to queries and connections, before the view that promises
// it. Only the monitor calls it.
func (r *Reader) publish(s *standing) {
	// The lease first: a read whose connection has proved no more than the new claim must not
	// believe that the old one held.
	old := r.claim.Load()
	if old != nil && old.life != s.life {
		r.lease.Store(&lease{reader: r})
	}
	r.claim.Store(&claim{server: s.server, proven: s.proven, life: s.life, balanced: s.balanced})
	// Connections that lead to another server, or may do so since they proved nothing, are used no
	// more; last, so that none which has yet to prove itself by the old claim is left.
	if s.server != "" && (old == nil || old.server != s.server || old.balanced && !s.balanced) {
		r.conns.retire()
	}
}
