package router

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// Token returns what the session needs of servers, for [ResumeSession] in another process: at most
// 3,800 letters, digits, ".", "-" and "_", good for URLs and cookies. It is "" for a session that
// has neither written nor read. Where the session's last write or read of a bind is newer than what
// is known of its writer, that is asked, in one round trip; ctx bounds that.
//
// The token is good even beside an error, which says that a writer could not tell its position, or
// cannot prove any: reads of whoever resumes the session then go to that bind's writer.
//
// A token holds positions and bind keys, and nothing else. It is neither secret nor signed: whoever
// forges one makes his own reads go to the writer, or as stale as without one. It is good for a day.
func (s *Session) Token(ctx context.Context) (string, error) {
	t, err := s.token(ctx)
	if !t.says() {
		return "", nil
	}
	return t.encode(), err
}

func (s *Session) token(ctx context.Context) (token, error) {
	s.mu.Lock()
	list := s.list()
	t := token{issued: time.Now(), rest: s.rest}
	for _, p := range s.resumed { // of binds that were not used since: they go on
		if !slices.ContainsFunc(list, func(b *sessionBind) bool { return b.router.key == p.key }) {
			t.parts = append(t.parts, p)
		}
	}
	s.mu.Unlock()

	var errs []error
	list, unopened := s.reopen(ctx, list)
	for _, failed := range unopened {
		errs = append(errs, fmt.Errorf("router: token of bind %q: %w", failed.key.String(), failed.err))
		t.parts = append(t.parts, part{key: failed.key})
	}
	for _, b := range s.present(list) {
		p, err := b.part(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("router: token of bind %q: %w", b.router.key.String(), err))
		}
		if p != nil {
			t.parts = append(t.parts, *p)
		}
	}
	return t, errors.Join(errs...)
}

// present returns the session's parts in binds as they are configured now, without those that were removed.
func (s *Session) present(list []*sessionBind) (present []*sessionBind) {
	for _, b := range list {
		latest := b.router.latest.Load()
		if latest == nil {
			continue
		}
		if latest != b.router {
			b = s.on(latest)
		}
		i := slices.IndexFunc(present, func(p *sessionBind) bool { return p.router.line == b.router.line })
		if i < 0 {
			present = append(present, b)
		} else {
			present[i] = b
		}
	}
	return present
}

// unopened is a bind that could not be opened again.
type unopened struct {
	key binds.Key
	err error
}

// reopen opens the session's binds that are suspended, to be asked for their positions, and returns those of list that can be asked.
func (s *Session) reopen(ctx context.Context, list []*sessionBind) (open []*sessionBind, failed []unopened) {
	for _, b := range list {
		r := b.router
		if r.reopen != nil && !r.shared && r.latest.Load() == nil && (b.wrote.Load() != 0 || b.seen.Load() != 0) {
			if _, err := r.reopen(ctx); err != nil {
				if !slices.ContainsFunc(failed, func(u unopened) bool { return u.key == r.key }) {
					failed = append(failed, unopened{r.key, err})
				}
				continue
			}
		}
		open = append(open, b)
	}
	return open, failed
}

// part returns nil if the bind needs none: it was not used, or all processes see its one copy.
func (b *sessionBind) part(ctx context.Context) (*part, error) {
	r := b.router
	wrote, seen := time.Duration(b.wrote.Load()), time.Duration(b.seen.Load())
	if r.shared || wrote == 0 && seen == 0 {
		return nil, nil
	}
	if history := r.peersHistory(); history != "" {
		return &part{key: r.key, history: hashOf(history)}, nil
	}
	probe, err := r.positionAfter(ctx, max(wrote, seen))
	if err == nil && probe.Peer {
		return &part{key: r.key, history: hashOf(probe.History)}, nil
	}
	if err == nil {
		err = unproven(probe)
	}
	if err != nil {
		return &part{key: r.key}, err
	}
	p := &part{key: r.key, history: hashOf(probe.History)}
	if wrote > 0 { // the position is later than both
		p.wrote = sentBy(probe).String()
	} else {
		p.seen = sentBy(probe).String()
	}
	return p, nil
}

// unproven returns why a writer's answer proves nothing, nil if it does.
func unproven(p binds.Probe) error {
	switch {
	case p.Doubt != nil:
		return p.Doubt
	case !p.Primary:
		return ErrWriterIsReplica
	case p.Position == nil:
		return binds.ErrNoPosition
	}
	return nil
}

// positionAfter returns where the writer was at some moment later than at. Those who must ask take
// turns, and who has waited is served by an answer that was asked for meanwhile: however many
// requests end at once, the writer is asked one question at a time, and no sooner than demandGap after the last.
func (r *Router) positionAfter(ctx context.Context, at time.Duration) (binds.Probe, error) {
	probe, ok, err := r.positionKnown(at)
	if ok || err != nil {
		return probe, err
	}
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return binds.Probe{}, ctx.Err()
	}
	if last := r.answer.Load(); last != nil {
		if gap := demandGap - (r.now() - last.at); gap > 0 && !pause(ctx, gap) {
			return binds.Probe{}, ctx.Err()
		}
	}
	if probe, ok, err = r.positionKnown(at); ok || err != nil {
		return probe, err
	}
	asked := r.question()
	probe, err = r.probeWriter(ctx)
	if err == nil {
		r.answer.Store(&sample{at: asked, probe: probe})
	}
	return probe, err
}

// positionKnown returns an answer of the writer to a question later than at, if there is one. The
// error says that asking would be in vain: the monitor has just had none.
func (r *Router) positionKnown(at time.Duration) (binds.Probe, bool, error) {
	if last := r.answer.Load(); last != nil && last.at > at {
		return last.probe, true, nil
	}
	if r.monitor == nil {
		return binds.Probe{}, false, nil
	}
	last, ok, err := r.monitor.lastSample()
	if ok && last.at > at {
		return last.probe, true, nil
	}
	return binds.Probe{}, false, err
}

// ResumeSession returns a context with a session that needs what the token says, and what the
// session of ctx needs, if there is one: tokens merge. An empty token adds nothing.
//
// A token that cannot be used, because it is malformed or expired, is a [*TokenError], and the
// session then reads as if it had just written everywhere: ignoring the error makes no read wrong.
// That a token speaks of another history comes out when the session first uses the bind, see
// [Session.Err].
func ResumeSession(ctx context.Context, token string) (context.Context, error) {
	s := SessionFrom(ctx)
	if s == nil {
		ctx = NewSession(ctx)
		s = SessionFrom(ctx)
	}
	if token == "" {
		return ctx, nil
	}
	t, err := decodeToken(token, time.Now())
	s.resume(t)
	return ctx, err
}

func hashOf(history string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(history)) // a hash takes everything
	return h.Sum64()
}

// A requirement is what a token's part asks of this process: the moments that a reader's horizon must
// have passed.
type requirement struct {
	wrote, seen time.Duration
	// renew says that the part is of no more use here, while the present position would be.
	renew bool
	err   error // for Session.Err
}

// require translates a part. Where it cannot be compared with what is known here, it asks for the
// present: every write that this part can be about was acknowledged before.
func (r *Router) require(p part) requirement {
	if r.shared {
		return requirement{}
	}
	now := r.now()
	present := requirement{wrote: now, seen: now}
	by, ok := r.writer.Driver().(binds.Positioner)
	if !ok || r.monitor == nil {
		return present
	}
	last, ok, _ := r.monitor.lastSample()
	if ok && last.probe.Peer {
		return present.ofPeers(p, last.probe, r.key)
	}
	if !ok || unproven(last.probe) != nil {
		return present
	}
	switch {
	case p.unknown():
		present.renew = true
		return present
	case hashOf(last.probe.History) != p.history:
		present.renew, present.err = true, &StaleTokenError{Bind: r.key}
		return present
	}
	wrote, err := r.monitor.momentOf(by, p.wrote, now)
	seen, err2 := r.monitor.momentOf(by, p.seen, now)
	if err != nil || err2 != nil {
		present.renew, present.err = true, errToken
		return present
	}
	return requirement{wrote: wrote, seen: seen}
}

// lastSample returns the latest of the writer's samples, and why the writer does not answer now. At
// rest that is not known.
func (m *monitor) lastSample() (sample, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.samples.last()
	if m.resting {
		return last, ok, nil
	}
	return last, ok, m.writerErr
}

// momentOf returns a moment such that a horizon past it covers the position that text gives, now if
// the writer is not known to have come that far; 0 for no text.
func (m *monitor) momentOf(by binds.Positioner, text string, now time.Duration) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	p, err := by.ParsePosition(text)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.samples.firstCovering(p); ok {
		return max(at-1, 1), nil // 0 would ask for nothing
	}
	return now, nil
}
