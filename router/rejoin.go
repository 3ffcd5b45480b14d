package router

import (
	"context"
	"time"
)

// A session that read from the writer needs a reader which covers its latest read. If it reads on
// without a pause, that moment moves on faster than any reader is proved, and the session would stay
// on the writer for good. So a session that has been kept there for a while, for no other reason, lets
// one read wait until a reader is proved, and is free from then on.
const (
	// firstStay is how long a session reads from the writer before a read of it waits, and how long
	// that waits at most. Each time that was in vain both double, so that waiting never costs more
	// than has been read meanwhile.
	firstStay = 10 * time.Millisecond
	// longestStay ends that, until the session writes again: in all it has waited for 150 ms then.
	longestStay = 80 * time.Millisecond
)

// A stay is a session's time on the writer though a reader shows all that it has written.
type stay struct {
	wrote int64         // the session's latest write
	since time.Duration // it has been reading there
	wait  time.Duration // for so long before a read waits, and then for so long at most
}

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
// It reports whether one came in time.
func (r *Router) awaitReader(ctx context.Context, wait, need time.Duration, sb *sessionBind, to *route) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		v := r.view.Load()
		if r.freshReader(v, need, sb, to) {
			if sb != nil {
				sb.stay.Store(nil)
			}
			return true
		}
		r.monitor.want()
		select {
		case <-v.replaced:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// outstayed returns how long a read of the session is to wait for a reader, zero for not at all. One
// read at a time is told to.
func (b *sessionBind) outstayed(now time.Duration) (wait time.Duration) {
	wrote, was := b.wrote.Load(), b.stay.Load()
	switch {
	case was == nil || was.wrote != wrote:
		b.stay.CompareAndSwap(was, &stay{wrote: wrote, since: now, wait: firstStay})
		return 0
	case was.wait > longestStay || now-was.since < was.wait:
		return 0
	}
	if !b.stay.CompareAndSwap(was, &stay{wrote: wrote, since: now + was.wait, wait: 2 * was.wait}) {
		return 0
	}
	return was.wait
}
