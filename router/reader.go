package router

import (
	"database/sql"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

// A Reader is a reader engine together with what a [Policy] may want to know of it. It is safe for
// concurrent use.
type Reader struct {
	// What every read looks at stands together: that is one line of the processor's cache.

	// work counts the reads in flight in its lower bits, and above them those that were given to the
	// reader: one of them is one addition.
	work atomic.Uint64
	// latency is a moving average in nanoseconds, with the marks in its lowest bits. It is zero until
	// something was measured that counts, without marks if nothing was measured at all.
	latency atomic.Int64
	// due is which read is the next to be measured, see clock.
	due atomic.Uint64
	// clocked is when the last one began that was measured, with the number of reads from that to the
	// next in its lowest bits.
	clocked atomic.Int64
	lease   atomic.Pointer[lease]
	db      *sql.DB // engine's
	weight  int
	place   int // among the readers of its router

	engine  *binds.Engine
	started time.Time     // of its clock
	probe   time.Duration // how long the latest probe took, see probed
	claim   atomic.Pointer[claim]
	conns   conns
	held    *holding
	drained atomic.Bool    // see Router.SetDrained
	hooked  func() *bun.DB // as Router.hooked, for this reader; nil: by nobody's hooks

	revealed revealed
}

// NewReader returns a reader for e. Weight is its share relative to other readers; less than one
// counts as one.
func NewReader(e *binds.Engine, weight int) *Reader {
	r := &Reader{engine: e, db: e.DB(), weight: max(weight, 1), started: time.Now()}
	r.revealed.turn = make(chan struct{}, 1)
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
// measurement.
func (r *Reader) Latency() time.Duration { return time.Duration(r.latency.Load() &^ marks) }

// Served returns how many reads this reader was given.
func (r *Reader) Served() uint64 { return r.work.Load() >> flightBits }

const (
	flightBits = 20
	oneRead    = 1<<flightBits + 1 // begins
	oneLess    = ^uint64(0)        // ends

	// The marks of Reader.latency: the next read is measured, and that replaces the average; a read has
	// been sent for that alone; one should be.
	aged  = 1
	tried = 2
	mends = 4
	marks = aged | tried | mends

	// Reading the clock costs more than the rest of a decision: of reads that come faster than often, one
	// in sampleEvery is measured.
	sampleEvery = 8
	often       = time.Millisecond
	steps       = 2*sampleEvery - 1 // the bits of Reader.clocked that count reads
	// A new measurement counts for a quarter.
	smoothing = 4
	// A reader that refuses connections answers fast: it counts as this slow until it is measured.
	failureLatency = time.Second
)

// begin notes a read; it returns the time if the read is to be measured, else zero.
func (r *Reader) begin() (start time.Duration) {
	n, l := r.work.Add(oneRead)>>flightBits, r.latency.Load()
	if n >= r.due.Load() || l == 0 || l&aged != 0 {
		return r.clock(n)
	}
	return 0
}

// clock begins to measure the nth read, and says which one is the next: this one's successor, unless
// they come so fast that it is one in twice as many as before.
func (r *Reader) clock(n uint64) (now time.Duration) {
	now = r.now()
	before := r.clocked.Load()
	step := before & steps
	if now-time.Duration(before&^steps) < time.Duration(step)*often {
		step = min(2*step, sampleEvery)
	} else {
		step = 1
	}
	r.clocked.Store(int64(now)&^steps | step)
	r.due.Store(n + uint64(step))
	return now
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
	r.latency.Store(int64(max(r.Latency(), failureLatency)) &^ marks)
}

// measured notes what a read took. What differs much from the average may be the read's own doing, or a
// stall of this process: only if the next one confirms it, it counts, and then as if nothing was known
// before. So the very first never counts, which may have had to connect.
func (r *Reader) measured(d time.Duration) {
	old := r.latency.Load()
	was, now := old&^marks, max(int64(d), marks+1)
	switch {
	case old&aged != 0: // now replaces it
	case differ(was, now):
		r.latency.CompareAndSwap(old, was|aged) // else another read was faster to say what it found
		return
	default:
		now = was + (now-was)/smoothing
	}
	r.latency.Store(now &^ marks)
}

// try marks a reader whose latency is to be found out. It reports false if that is being done.
func (r *Reader) try() bool {
	l := r.latency.Load()
	return l != 0 && l&tried == 0 && r.latency.CompareAndSwap(l, l&^marks|aged|tried)
}

// probed notes how long the reader took to answer the monitor. If that was much longer the last time,
// and still is what its reads are thought to take, a read is sent to find out whether they do. Only the
// goroutine that watches the reader calls it.
func (r *Reader) probed(took time.Duration) {
	before := r.probe
	r.probe = took
	if l := r.latency.Load(); before > 2*took && l&^marks > 2*int64(took) {
		r.latency.CompareAndSwap(l, l|mends)
	}
}

// mending reports that a read should be sent to find out whether the reader is as slow as it was.
func (r *Reader) mending() bool { return r.latency.Load()&mends != 0 }

// differ reports whether two latencies are further apart than those of readers which are about as fast.
func differ(a, b int64) bool { return a > 2*b || b > 2*a }

// lighter reports whether [LeastLoaded] prefers r to o: it has fewer reads in flight for its weight,
// where these count as long as they take if one reader takes more than twice as long as the other.
// Smaller differences say little, since the averages are of a few reads: they must not keep a reader
// from its share.
func (r *Reader) lighter(o *Reader) bool {
	rReads, oReads := r.InFlight()+1, o.InFlight()+1
	rTakes, oTakes := r.takes(rReads), o.takes(oReads)
	if differ(rTakes, oTakes) {
		rReads, oReads = rReads*rTakes, oReads*oTakes
	}
	return rReads*int64(o.weight) < oReads*int64(r.weight)
}

// takes returns how long a read is thought to take, if it makes as many on the way as reads says. A
// reader that was not measured yet takes no time, so that a read finds out, and a long one for any
// other until then.
func (r *Reader) takes(reads int64) int64 {
	l := r.latency.Load() &^ marks
	if l == 0 && reads > 1 {
		return int64(failureLatency)
	}
	return l
}

// now is the reader's monotonic clock. It is never zero.
func (r *Reader) now() time.Duration { return max(time.Since(r.started), 1) }

// publish makes a reader's standing known to queries and connections, before the view that promises
// it. Only the monitor calls it, with its lock.
func (r *Reader) publish(s *standing, now time.Duration) {
	// The lease first: a read whose connection has proved no more than the new claim must not
	// believe that the old one held.
	old := r.claim.Load()
	if old != nil && old.life != s.life {
		r.lease.Store(&lease{reader: r, since: now})
	}
	r.claim.Store(&claim{server: s.server, proven: s.proven, life: s.life, balanced: s.balanced})
	// Connections that lead to another server, or may do so since they proved nothing, are used no
	// more; last, so that none which has yet to prove itself by the old claim is left.
	if s.server != "" && (old == nil || old.server != s.server || old.balanced && !s.balanced) {
		r.conns.retire()
	}
}
