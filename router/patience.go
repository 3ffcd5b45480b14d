package router

import (
	"context"
	"slices"
	"time"
)

// A read that finds no reader fresh enough is served by the writer, which is best while the writer has time
// to spare. Where it has not, such reads make it worse: they queue at the one server that nothing can
// relieve, the monitor's questions queue among them, so that readers are proved later, and whoever waits for
// that stays on the writer. So while statements queue at the writer and not at the readers, such a read
// waits for a reader for about as long as it takes to prove one. What relieves the writer ends that: the
// writer goes on to serve as many of these reads as it can without a queue.
const (
	// leastQueue is how long statements must queue at the writer before a read waits at all.
	leastQueue = 5 * time.Millisecond
	// worthAlone is how many times that queue the proof of a reader may take where waiting for it pays, worthSession
	// where the read belongs to a session: then it spares the writer also those that follow.
	worthAlone, worthSession = 2, 8
	// longestProof is the time to prove a reader beyond which no read waits for it. Waiting ends after twice
	// the time that it takes: the question under way may have come too early for the read, the next does not.
	longestProof = 150 * time.Millisecond
)

// worthWaiting returns how long a read that only the writer could serve at once is to wait for a reader,
// zero for not at all. To says what was found of it in v.
func (v *view) worthWaiting(r *Router, to *route) time.Duration {
	switch {
	case to.sb == nil:
		return v.alone
	case v.patience == 0 && to.late:
		return to.sb.outstayed(r.now())
	}
	return v.patience
}

// awaitReader waits for a reader that may serve a read with that need, of session sb if that is not nil.
// It returns the view in which one came in time, nil if none did. The need is that of the read's beginning: what is written while it
// waits is no concern of it, and would keep it waiting for good.
func (r *Router) awaitReader(ctx context.Context, wait, need time.Duration, sb *sessionBind, to *route) *view {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		v := r.view.Load()
		if r.freshReader(v, need, sb, to) {
			if sb != nil {
				sb.stay.Store(nil)
			}
			return v
		}
		r.monitor.want()
		select {
		case <-v.replaced:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// pace is how fast the writer answers the monitor. Its zero value knows nothing.
type pace struct {
	usual time.Duration // a moving average
	best  time.Duration // without a queue
}

// bestFades lets what is usual become the best within some thousand answers, should the way to the server
// have grown longer.
const bestFades = 4096

func (p *pace) note(took time.Duration) {
	p.usual = average(p.usual, took)
	if p.best == 0 {
		p.best = took
	}
	p.best = min(took, p.best+(p.usual-p.best)/bestFades)
}

// queue returns how long a statement waits at the server for its turn.
func (p *pace) queue() time.Duration { return p.usual - p.best }

// average returns a moving average with one measurement more, the first one if it was zero.
func average(old, d time.Duration) time.Duration {
	if old == 0 {
		return d
	}
	return old + (d-old)/smoothing
}

// patienceLocked returns how long a read that only the writer could serve at once is to wait for a reader
// of v, in a session and without one; zero is for not at all.
func (m *monitor) patienceLocked(v *view) (session, alone time.Duration) {
	if len(v.fit) == 0 || m.writerErr != nil || m.demoted || m.r.strict {
		return 0, 0 // no reader to come, or no writer to spare
	}
	proof, queue := m.proofLocked(v.horizons[0]), m.writer.queue()
	idle := func(reader *Reader) bool { return m.states[reader.place].took < queue/2 }
	if proof > longestProof || queue < leastQueue || !slices.ContainsFunc(v.fit, idle) {
		return 0, 0
	}
	if proof <= worthSession*queue {
		session = 2 * proof
	}
	if proof <= worthAlone*queue {
		alone = 2 * proof
	}
	return session, alone
}

// proofLocked returns how long it takes from a question to the writer until a reader is known to show what
// the answer promises. Latest is the latest moment for which one does.
func (m *monitor) proofLocked(latest time.Duration) time.Duration {
	open, ok := m.samples.after(m.proved)
	age := m.r.now() - open
	switch {
	case ok && open > latest: // readers that stand still prove nothing to measure
		return max(m.proof, age)
	case ok:
		m.proved, m.proof = latest, average(m.proof, age)
	}
	return m.proof
}
