package router

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// A Session is what one request, or whatever else belongs together, has written and seen. In its
// context a read shows every write of the session (read your writes) and no older state than an
// earlier read of it did (monotonic reads), whichever server serves. It is safe for concurrent use.
//
// A session knows the moments of its writes and reads on this process's monotonic clock. It costs
// no round trip, and it ends by being forgotten.
type Session struct {
	binds atomic.Pointer[[]*sessionBind]
	// outdated says that the token which the session was resumed with does not do any more:
	// something was written, or what it says is not known, or not true, of the present servers.
	outdated atomic.Bool
	// merged says that a response's cookie says all that its request's did.
	merged atomic.Bool

	mu      sync.Mutex // guards the rest, and additions to binds
	resumed []part     // what tokens say
	rest    bool       // as in a token
	errs    []error    // of tokens
}

// sessionBind is a session's part in one bind.
type sessionBind struct {
	router *Router
	*needs
	before *sessionBind // its part under the bind's configuration before; nil if it had none
	former bool         // it had one
	// at is where all its reads since the last change of engine went: there the next one shows no
	// older state. Nil if reads ran on several engines side by side.
	at atomic.Pointer[lease]
	// ahead are the readers that it has read on since it was compared with the primary, see ahead.
	ahead atomic.Uint64
	// stay is its time on the writer for want of a reader that covers what it has seen.
	stay atomic.Pointer[stay]

	mu         sync.Mutex    // guards the rest, and changes of ahead
	aheadSince time.Duration // a moment before the first of those reads was noted
	comparing  chan struct{} // held while the session is compared with the primary; nil before the first time
}

// needs are what a session needs of a bind, whatever its configuration.
type needs struct {
	wrote atomic.Int64 // the moment of its latest write, 0 if it wrote nothing
	seen  atomic.Int64 // the moment of its latest read, 0 if it read nothing
}

// A lease is one engine for as long as its state only moves forward: it ends when the server behind
// it turns out to be another or older one.
type lease struct {
	reader *Reader       // nil for the writer
	since  time.Duration // it began; zero for the first one
}

// NewSession returns a context with a new session. Without one, read_your_writes = "process" lets a
// read wait for the writes of the whole process; reads are then not monotonic.
//
// After a session has read from the writer, a reader must cover that read before it may serve the
// next. A session that has read there for 10 ms without a pause, though a reader shows all that it
// has written, lets one read wait for that: usually for a few milliseconds, for 150 ms in all at most
// until its next write. While statements queue at the writer and not at the readers, a read waits at
// once, for 300 ms at most, where a reader is soon proved to show what it needs.
func NewSession(ctx context.Context) context.Context {
	return withScope(ctx, func(s *scope) { s.session = new(Session) })
}

// SessionFrom returns the context's session, nil if it has none.
func SessionFrom(ctx context.Context) *Session { return scopeOf(ctx).session }

// Err returns what was wrong with the tokens that the session was resumed with, as far as it has
// come out: a [*StaleTokenError] for each bind whose history is another now.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.errs...)
}

// maxParts bounds what a session keeps of tokens: whoever merges more reads from writers for once.
const maxParts = 64

// resume notes what a token says, and lets the binds that the session has used already need it.
func (s *Session) resume(t token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.resumed)+len(t.parts) > maxParts {
		t = token{rest: true}
	}
	before := s.rest
	if t.rest {
		for _, b := range s.list() {
			if !t.names(b.router.key) {
				s.applyLocked(b, part{key: b.router.key})
			}
		}
		s.resumed = slices.DeleteFunc(s.resumed, func(p part) bool { return !t.names(p.key) })
		s.rest = true
	}
	for _, p := range t.parts {
		for _, b := range s.list() {
			if b.router.key == p.key {
				s.applyLocked(b, p)
			}
		}
		// What is not known how far does not become known by another token.
		if !slices.Contains(s.resumed, p) && (!before || s.namedLocked(p.key)) {
			s.resumed = append(s.resumed, p)
		}
	}
}

func (s *Session) namedLocked(key binds.Key) bool {
	return slices.ContainsFunc(s.resumed, func(p part) bool { return p.key == key })
}

// on returns the session's part in the bind of r. Only the first call for a bind allocates.
func (s *Session) on(r *Router) *sessionBind {
	if b := s.find(func(b *sessionBind) bool { return b.router == r }); b != nil {
		if b.before != nil {
			b.takeOver()
		}
		return b
	}
	return s.add(r)
}

func (s *Session) list() []*sessionBind {
	if list := s.binds.Load(); list != nil {
		return *list
	}
	return nil
}

func (s *Session) find(is func(*sessionBind) bool) *sessionBind {
	for _, b := range s.list() {
		if is(b) {
			return b
		}
	}
	return nil
}

func (s *Session) add(r *Router) *sessionBind {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.find(func(b *sessionBind) bool { return b.router == r }); b != nil {
		return b
	}
	b := &sessionBind{router: r, needs: new(needs)}
	var list []*sessionBind
	for _, before := range s.list() {
		switch same := before.router.line == r.line; {
		case same && before.router.suspended.Load(): // nothing is under way there; what it has noted at the last moment may be anything
			b.needs, b.former = before.needs, true
			if len(before.router.readers) > 0 || before.ahead.Load() != 0 {
				b.ahead.Or(formerBit)
			}
			continue
		case same:
			b.needs, b.before, b.former = before.needs, before, true
		case before.router.key == r.key: // the bind was forgotten, or defined anew: what was before is not known there
			raise(&b.wrote, r.now())
			raise(&b.seen, r.now())
		}
		list = append(list, before)
	}
	if b.before != nil {
		b.takeOver()
	}
	if !b.former {
		s.applyResumedLocked(b)
	}
	list = append(list, b)
	s.binds.Store(&list)
	return b
}

// applyResumedLocked lets b, which is new, need what the tokens say.
func (s *Session) applyResumedLocked(b *sessionBind) {
	if s.rest && !s.namedLocked(b.router.key) {
		s.applyLocked(b, part{key: b.router.key})
	}
	for _, p := range s.resumed {
		if p.key == b.router.key {
			s.applyLocked(b, p)
		}
	}
}

// applyLocked lets b need what a token's part says.
func (s *Session) applyLocked(b *sessionBind, p part) {
	need := b.router.require(p)
	if need.err != nil && !slices.ContainsFunc(s.errs, func(err error) bool { return err.Error() == need.err.Error() }) {
		s.errs = append(s.errs, need.err)
	}
	if need.renew {
		s.outdated.Store(true)
	}
	raise(&b.wrote, need.wrote)
	raise(&b.seen, need.seen)
	b.proveWriter()
}

// choose returns the reader for the session's next read out of v, nil if none may serve it. The
// session goes there.
func (b *sessionBind) choose(r *Router, v *view, need time.Duration) (*Reader, *lease) {
	at, seen := b.at.Load(), b.seen.Load()
	fit := v.freshEnough(need)
	if at != nil && at.reader != nil && at.reader.lease.Load() == at {
		for _, reader := range fit {
			// Where it was sent to the primary in vain, see revealAt, it has read nothing yet.
			if reader == at.reader && v.leaseOf(reader) == at && (!v.primary.has(reader) || !b.aheadOfPrimary(v)) {
				return reader, at
			}
		}
	}
	if all := orNone(seen); all > need {
		fit = v.freshEnough(all)
	}
	if len(fit) == 0 {
		return nil, nil
	}
	if v.primary != 0 {
		fit = b.shownBy(v, fit)
	}
	reader := r.pick(fit)
	to := v.leaseOf(reader)
	// A read that ended since seen was looked at may have shown more than this reader does: then the
	// session stays nowhere, and its next read needs all that it has seen.
	if b.at.CompareAndSwap(at, to) && b.seen.Load() != seen {
		b.at.CompareAndSwap(to, nil)
	}
	return reader, to
}

// shownBy returns those of fit that show all that the session has seen, or all of fit if none does for certain. A primary's own
// server may not show yet what the session has read on a replica, whatever its position: see [sessionBind.revealAt].
func (b *sessionBind) shownBy(v *view, fit []*Reader) []*Reader {
	if !b.aheadOfPrimary(v) {
		return fit
	}
	if replicas := slices.DeleteFunc(slices.Clone(fit), func(r *Reader) bool { return v.primary.has(r) }); len(replicas) > 0 {
		return replicas
	}
	return fit
}

// leaves notes a read on engine l that was not chosen for what the session has seen: unless l is
// where it was, it stays nowhere.
func (b *sessionBind) leaves(l *lease) {
	if b.at.Load() != l {
		b.at.Store(nil)
	}
}

// saw notes that a read which began on engine l has its first answer. If the session is at another
// engine, the next read must show more than both have shown.
func (b *sessionBind) saw(l *lease, at time.Duration) {
	raise(&b.seen, at)
	if l != nil && l.reader != nil {
		b.readOn(l.reader)
	}
	if cur := b.at.Load(); cur != l {
		b.at.CompareAndSwap(cur, nil)
	}
}

// raise sets a to at if that is later.
func raise(a *atomic.Int64, at time.Duration) {
	for {
		old := a.Load()
		if int64(at) <= old || a.CompareAndSwap(old, int64(at)) {
			return
		}
	}
}
