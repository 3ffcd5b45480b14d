package router

import "time"

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
