package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/ctxend"
)

// A replica may show a commit before its primary does, see [binds.Revealer]. A session that has read on a reader and goes
// on to read on the primary waits until that shows as much, whether it is the writer's server or, after a failover, that of a
// listed reader. It costs something at that step only, and whoever takes it at the same time shares the answer.

const (
	// firstReveal and longestReveal bound the time between two questions whether the writer has caught up; each is
	// twice the one before.
	firstReveal   = 200 * time.Microsecond
	longestReveal = 10 * time.Millisecond
	// compareAgain is how long a reader that could not be compared is left alone, if it is there again.
	compareAgain = time.Second
)

// ahead are the readers, by their places, that a session has read on since it was compared with the primary. The last
// bit stands for all places from there on.
type ahead uint64

const (
	lastBit = 62
	// asking is the bit that says that the session is being compared: who reads on the primary meanwhile waits for that.
	asking = 1 << 63
)

// formerBit is that of all readers which the bind had before its configuration changed.
const formerBit = uint64(1) << lastBit

// takeOver has b go on where the session has come to under the bind's configuration before: whatever readers it has read on then.
func (b *sessionBind) takeOver() {
	for o := b.before; o != nil; o = o.before {
		if o.ahead.Load() == 0 {
			continue
		}
		b.mu.Lock()
		if o.ahead.Swap(0)&^asking != 0 {
			b.ahead.Or(formerBit)
			b.aheadSince = 0
		}
		b.mu.Unlock()
	}
}

func (r *Reader) bit() uint64 { return 1 << min(r.place, lastBit) }

func (a ahead) has(r *Reader) bool { return uint64(a)&r.bit() != 0 }

// readOn notes that the session has read on a reader.
func (b *sessionBind) readOn(r *Reader) {
	bit := r.bit()
	if b.ahead.Load()&bit != 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ahead.Load() == 0 {
		b.aheadSince = b.router.now()
	}
	b.ahead.Or(bit)
}

// aheadOfPrimary reports whether the session has read on readers other than those whose server is the primary, as v knows it, since it was
// compared.
func (b *sessionBind) aheadOfPrimary(v *view) bool {
	return ahead(b.ahead.Load())&^(v.primary&^(1<<lastBit)) != 0
}

// reveal waits until the writer shows all that the session has seen on readers, for as long as a statement waits for the
// writer. The error is a [*WriterBehindError], or that of ctx.
func (b *sessionBind) reveal(ctx context.Context) error {
	if b.router.reveals == nil {
		return nil
	}
	return b.revealBy(ctx, b.router.revealer(), nil)
}

// revealAt is reveal for a listed reader whose server is the primary.
func (b *sessionBind) revealAt(ctx context.Context, primary *Reader) error {
	r := b.router
	if r.reveals == nil {
		return nil
	}
	_, server, _, _ := r.monitor.compares(primary)
	by := revealer{name: primary.Name(), server: server, ask: func(ctx context.Context, query string) ([]string, error) {
		return primary.engine.AskAt(ctx, server, query)
	}}
	return b.revealBy(ctx, by, primary)
}

// mayBeBehind says of a read that v sends to the primary's own server, as a reader, that its session may have seen more elsewhere.
func (to *route) mayBeBehind(v *view) bool {
	return to.sb != nil && to.reader != nil && v.primary.has(to.reader) && to.sb.aheadOfPrimary(v)
}

// revealBy waits for the readers that the session has read on, but for the primary's own, if that is a reader: what was read there
// it must show to whoever is the primary next. One read of a session asks at a time, and those that come meanwhile wait for it.
func (b *sessionBind) revealBy(ctx context.Context, by revealer, own *Reader) (err error) {
	limit, cancel := ctx, context.CancelFunc(func() {})
	if _, ok := ctx.Deadline(); !ok {
		limit, cancel = context.WithTimeout(ctx, patience)
	}
	defer cancel()
	turn := b.turnToCompare()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-limit.Done():
		return &WriterBehindError{Engine: by.name, Reader: b.anyAhead(), Err: overdue(ctx, errOthersAsk)}
	}
	was, since := b.beginCompare(own)
	defer func() { b.endCompare(was, err) }()
	for _, reader := range b.router.readers {
		if reader == own || !was.has(reader) || b.router.isOf(by, reader, since) {
			continue
		}
		if err := b.router.reveal(limit, ctx, by, reader, since); err != nil {
			return err
		}
	}
	if b.former && uint64(was)&formerBit != 0 {
		return b.router.reveal(limit, ctx, by, nil, 0)
	}
	return nil
}

func (b *sessionBind) turnToCompare() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.comparing == nil {
		b.comparing = make(chan struct{}, 1)
	}
	return b.comparing
}

// beginCompare returns the readers to compare, and since when. What is read on a reader from then on is noted anew.
func (b *sessionBind) beginCompare(own *Reader) (was ahead, since time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was = ahead(b.ahead.Load())
	var stays uint64
	if own != nil {
		stays = uint64(was) & own.bit()
	}
	b.ahead.Store(stays | asking)
	return was, b.aheadSince
}

func (b *sessionBind) endCompare(was ahead, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.ahead.Or(uint64(was))
	}
	b.ahead.And(^uint64(asking))
}

// anyAhead names one of the readers that the session has read on.
func (b *sessionBind) anyAhead() string {
	noted := ahead(b.ahead.Load())
	for _, reader := range b.router.readers {
		if noted.has(reader) {
			return reader.Name()
		}
	}
	return ""
}

// isOf reports whether a reader's server has been the primary's own since a moment: what that shows it goes on to show.
func (r *Router) isOf(by revealer, reader *Reader, since time.Duration) bool {
	_, server, began, ok := r.monitor.compares(reader)
	return ok && began <= since && server != "" && server == by.server
}

// A revealer is a primary that is asked whether it shows what a reader has shown.
type revealer struct {
	name   string // of the engine by which it is asked
	server string
	ask    binds.Ask
}

// revealer returns the server that all connections of the writer lead to.
func (r *Router) revealer() revealer {
	server, _ := r.address.kept()
	return revealer{name: r.writer.Name(), server: server, ask: func(ctx context.Context, query string) ([]string, error) {
		return r.askWriter(ctx, server, query)
	}}
}

// revealed is when a primary was last found to show all that a reader had shown.
type revealed struct {
	turn   chan struct{} // held by who asks; guards the rest
	at     time.Duration // when that was begun
	since  time.Duration // for what the reader has shown from then on
	server string        // the primary's
}

// reveal waits until the primary shows all that a reader has shown between since and the call, no longer than limit, of which ctx is what
// the caller gave. Nil is any reader that the bind had before its configuration changed.
func (r *Router) reveal(limit, ctx context.Context, by revealer, reader *Reader, since time.Duration) error {
	at, name := &r.former, r.key.String()+", as it was configured before"
	if reader != nil {
		at, name = &reader.revealed, reader.Name()
	}
	came := r.now()
	select {
	case at.turn <- struct{}{}:
		defer func() { <-at.turn }()
	case <-limit.Done():
		return &WriterBehindError{Engine: by.name, Reader: name, Err: overdue(ctx, errOthersAsk)}
	}
	if at.at > came && at.since <= since && at.server == by.server {
		return nil
	}
	began := r.now()
	from, err := r.askRevealed(limit, by.ask, reader, since)
	switch {
	case err == nil:
		at.at, at.since, at.server = began, from, by.server
		return nil
	case err == errBehind:
		err = ctxend.Err(ctx)
	case limit.Err() != nil:
		err = overdue(ctx, err)
	}
	return &WriterBehindError{Engine: by.name, Reader: name, Err: err}
}

var (
	errBehind    = errors.New("router: the primary does not show it yet")
	errSilent    = errors.New("there was no answer")
	errOthersAsk = errors.New("the question of another session had no answer yet")
)

// overdue says that time was over before an answer came, and what it was waited for.
func overdue(ctx context.Context, err error) error {
	cause := ctx.Err()
	if cause == nil {
		cause = context.DeadlineExceeded // ours
	}
	if err == cause {
		err = errSilent
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// askRevealed asks until the primary has caught up with the reader. While that cannot be asked, or be compared with the primary
// any more, or if it has gone back since, all that may have been shown by any reader counts. It returns from when on the primary shows
// all that the reader has shown, which is no later than since.
func (r *Router) askRevealed(ctx context.Context, primary binds.Ask, reader *Reader, since time.Duration) (from time.Duration, err error) {
	var unseen binds.Mark
	for asked := false; ; {
		if life, server, began, ok := r.monitor.compares(reader); ok && began <= since {
			replica := func(ctx context.Context, query string) ([]string, error) {
				return reader.engine.AskAt(ctx, server, query)
			}
			still := func() bool {
				now, _, _, ok := r.monitor.compares(reader)
				return ok && now == life
			}
			mark, err := r.reveals.Shown(ctx, primary, replica)
			if err == nil {
				err = r.untilRevealed(ctx, mark, primary, replica, still)
			}
			if err == nil || ctx.Err() != nil {
				return began, err
			}
		}
		if !asked {
			if unseen, err = r.reveals.Shown(ctx, primary, nil); err != nil {
				return 0, err
			}
			asked = true
		}
		again := r.now() + compareAgain
		still := func() bool {
			if r.now() < again {
				return true
			}
			_, _, began, ok := r.monitor.compares(reader)
			return !ok || began > since
		}
		if err := r.untilRevealed(ctx, unseen, primary, nil, still); err != errNotCompared {
			return 0, err
		}
	}
}

// errNotCompared says that waiting for the primary has no more sense.
var errNotCompared = errors.New("router: the servers cannot be compared")

// untilRevealed asks the primary for as long as still says.
func (r *Router) untilRevealed(ctx context.Context, mark binds.Mark, primary, replica binds.Ask, still func() bool) error {
	for wait := firstReveal; ; wait = min(2*wait, longestReveal) {
		shows, err := r.reveals.Reveals(ctx, mark, primary, replica)
		switch {
		case err != nil || shows:
			return err
		case ctxend.Err(ctx) != nil: // also where this process stood still, and the context's timer has not fired yet
			return errBehind
		case !still():
			return errNotCompared
		case !pause(ctx, wait):
			return errBehind
		}
	}
}

// askWriter asks the server that all connections of the writer are to lead to.
func (r *Router) askWriter(ctx context.Context, server, query string) ([]string, error) {
	row, err := r.writer.AskAt(ctx, server, query)
	if errors.Is(err, binds.ErrRedial) { // the address has moved: connections from before are to end
		r.writer.ProbeAnew()
		if r.monitor != nil {
			r.monitor.want()
		}
	}
	return row, err
}

// compares reports whether a reader can be compared with the writer now, the life of what is known of it, its server, and since when
// its state only moves forward.
func (m *monitor) compares(reader *Reader) (life uint64, server string, since time.Duration, ok bool) {
	if reader == nil {
		return 0, "", 0, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.states[reader.place]
	return s.life, s.server, reader.lease.Load().since, !s.down && s.why == nil
}
