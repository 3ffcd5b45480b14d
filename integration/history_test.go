package integration_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A history is what is known of a table of registers: each row is written by one goroutine, with
// values that only rise, and read by all. What a read returns is checked against what its
// session has written and seen, which gives a lower bound, and what was ever sent, an upper one.
//
// A promotion may lose acknowledged writes. It begins an epoch: what the new primary holds then,
// the baseline, is all that sessions may expect of what was written before.
type history struct {
	mu    sync.Mutex // guards all
	rows  []register
	epoch int64
	lost  int // acknowledged writes that a promotion lost

	violations []string
	violated   int
}

// register is a row. Its values are epoch<<32 + a count, so that each tells when it was written.
type register struct {
	next     int64         // the last value that was sent, or is about to be
	acked    int64         // the greatest that was acknowledged
	acks     []ack         // the latest of them, oldest first
	denied   map[int64]any // values of which the library said that they were not written
	base     int64         // the row at the beginning of the epoch
	inFlight int64         // the value that was being written then; 0 if none
	pending  int64         // the value that is being written; 0 if none

	// How often the row must have been written since the epoch began: at least sure times, and at
	// most unsure times more.
	writes, sure, unsure int64
}

type ack struct {
	value int64
	at    time.Time
}

// keepAcks bounds how far back a bounded-stale read can be checked.
const keepAcks = 512

func epochOf(value int64) int64 { return value >> 32 }

func newHistory(rows int) *history { return &history{rows: make([]register, rows)} }

// An outcome is what the writer of a value was told.
type outcome uint8

const (
	acknowledged outcome = iota
	unknown              // it may have been written
	denied               // it was certainly not written
)

// begin returns the next value for a row. Only its owner calls it.
func (h *history) begin(row int) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &h.rows[row]
	r.next = max(r.next+1, h.epoch<<32+1)
	r.pending = r.next
	return r.next
}

// end notes how the write of value ended, and lets s count on it. S may be nil.
func (h *history) end(s *observed, row int, value int64, as outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &h.rows[row]
	r.pending = 0
	switch {
	case as == denied:
		if r.denied == nil {
			r.denied = make(map[int64]any)
		}
		r.denied[value] = nil
	case as == unknown || epochOf(value) < h.epoch:
		r.unsure++
	default:
		r.sure++
	}
	if as != acknowledged {
		return
	}
	if value > r.acked {
		r.acked = value
		r.acks = append(r.acks, ack{value, time.Now()})
		if len(r.acks) > keepAcks {
			r.acks = slices.Delete(r.acks, 0, keepAcks/2)
		}
	}
	if s != nil {
		s.raise(row, value, "its own write")
		if epochOf(value) == h.epoch {
			s.wroteIn = h.epoch
		}
	}
}

// A state is what a server holds of one row.
type state struct{ value, writes int64 }

// newEpoch notes a promotion, and what the new primary holds. Nobody can reach that yet.
func (h *history) newEpoch(held map[int]state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch++
	for i := range h.rows {
		r := &h.rows[i]
		for _, a := range r.acks {
			if a.value > held[i].value && epochOf(a.value) == h.epoch-1 {
				h.lost++
			}
		}
		r.base, r.inFlight = held[i].value, r.pending
		r.acked = min(r.acked, r.base)
		r.acks = nil
		r.writes, r.sure, r.unsure = held[i].writes, 0, 0
	}
}

// observed is what one session has seen. The history's lock guards it.
type observed struct {
	name    string
	bounds  map[int]bound
	wroteIn int64 // the epoch of its latest acknowledged write
	// process says that its reads must show what the whole process has written, and may go back.
	process bool
}

type bound struct {
	value int64
	from  string // which engine showed it
}

func newObserved(name string) *observed {
	return &observed{name: name, bounds: make(map[int]bound), wroteIn: -1}
}

func (s *observed) raise(row int, value int64, from string) {
	if value > s.bounds[row].value {
		s.bounds[row] = bound{value, from}
	}
}

// A read is one that is under way: what it may return depends on what was known when it began.
type read struct {
	h       *history
	s       *observed
	began   time.Time
	epoch   int64
	wroteIn int64
	least   map[int]bound
	free    bool // it may return anything that was ever written
}

// begins notes a read of s. One that is free is not checked against bounds, but raises them.
func (h *history) begins(s *observed, free bool) *read {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &read{h: h, s: s, began: time.Now(), epoch: h.epoch, wroteIn: s.wroteIn, least: maps.Clone(s.bounds), free: free}
	if s.process {
		for i := range h.rows {
			r.least[i] = bound{h.rows[i].acked, "a write of the process"}
		}
	}
	return r
}

// noOlderThan makes the read show what was acknowledged to anybody more than d before it began.
func (r *read) noOlderThan(d time.Duration) *read {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	for i := range r.h.rows {
		for _, a := range slices.Backward(r.h.rows[i].acks) {
			if r.began.Sub(a.at) > d {
				if a.value > r.least[i].value {
					r.least[i] = bound{a.value, fmt.Sprintf("a write %v before", r.began.Sub(a.at))}
				}
				break
			}
		}
	}
	return r
}

// saw checks what the read returned, and which engine it says has returned it.
func (r *read) saw(row int, value int64, engine string) {
	h := r.h
	h.mu.Lock()
	defer h.mu.Unlock()
	reg := &h.rows[row]
	old := epochOf(value) < h.epoch
	gone := old && value > reg.base && value != reg.inFlight
	least := r.least[row]
	floor := least.value
	if epochOf(floor) < h.epoch {
		floor = min(floor, reg.base)
	}
	_, wasDenied := reg.denied[value]
	switch {
	case value > reg.next:
		h.violate(r, row, value, engine, "it was never written")
	case wasDenied:
		h.violate(r, row, value, engine, "its writer was told that it was not written")
	case r.free:
	case value < floor:
		h.violate(r, row, value, engine, fmt.Sprintf("expected %s or later, by %s", show(floor), least.from))
	case gone && r.wroteIn == h.epoch:
		h.violate(r, row, value, engine, "a promotion has lost it, and the session has written to the new primary since")
	}
	if !r.s.process && !gone {
		r.s.raise(row, value, engine)
	}
}

const keepViolations = 20

func (h *history) violate(r *read, row int, value int64, engine, why string) {
	h.violated++
	if len(h.violations) < keepViolations {
		h.violations = append(h.violations, fmt.Sprintf("%s %s read row %d = %s from %s in %v: %s",
			time.Now().UTC().Format("15:04:05.000"), r.s.name, row, show(value), engine, time.Since(r.began), why))
	}
}

func show(value int64) string {
	if e := epochOf(value); e > 0 {
		return fmt.Sprintf("%d:%d", e, value&(1<<32-1))
	}
	return fmt.Sprint(value)
}

// fail notes a violation that is not a read's.
func (h *history) fail(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.violated++
	if len(h.violations) < keepViolations {
		h.violations = append(h.violations, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// final checks what the primary holds in the end: every acknowledged write, each once.
func (h *history) final(held map[int]state) {
	h.mu.Lock()
	rows := slices.Clone(h.rows)
	h.mu.Unlock()
	for i, r := range rows {
		got := held[i]
		if got.value < r.acked {
			h.fail("row %d ends as %s, though %s was acknowledged", i, show(got.value), show(r.acked))
		}
		if n := got.writes - r.writes; n < r.sure || n > r.sure+r.unsure {
			h.fail("row %d was written %d times: %d were acknowledged, %d unknown", i, n, r.sure, r.unsure)
		}
	}
}
