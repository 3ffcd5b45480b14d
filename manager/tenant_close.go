package manager

import (
	"context"
	"time"
)

// suspend lets nothing begin on the tenant any more, unless it is in use or was used less than idle ago, and returns its bind, to be
// closed; nil if it does not. Force asks nothing.
func (t *tenant) suspend(force bool, idle time.Duration) *Bind {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.current.Load()
	if b == nil || t.closing != nil || !force && (t.pins > 0 || t.set.now()-t.used.Load() < int64(idle)) {
		return nil
	}
	if !force && b.locks.busy() {
		t.touch()
		return nil
	}
	t.current.Store(nil) // who comes from here on waits for t.mu
	if !b.router.Suspend(force, func() bool { return t.fronts.inUse() || b.readOnlyInUse() }) {
		t.current.Store(b)
		t.touch()
		return nil
	}
	t.closing = make(chan struct{})
	return b
}

// close closes what suspend has returned.
func (t *tenant) close(b *Bind) {
	t.fronts.closeIdle()
	if err := b.close(); err != nil {
		t.set.m.logger.Warn("tenant closed, with errors", "bind", t.key.String(), "error", err)
	} else {
		t.set.m.logger.Debug("tenant closed", "bind", t.key.String())
	}
	t.mu.Lock()
	t.last = b
	t.set.awake.CompareAndDelete(t.key, t)
	close(t.closing)
	t.closing = nil
	t.mu.Unlock()
	t.set.free()
}

const (
	minSweep = 10 * time.Millisecond
	maxSweep = 10 * time.Second
)

// sweep closes tenants that were not used for long, until the manager is closed.
func (s *tenants) sweep() {
	ticker := time.NewTicker(min(max(s.opts.idle/4, minSweep), maxSweep))
	defer ticker.Stop()
	for {
		select {
		case <-s.m.closing.Done():
			return
		case <-ticker.C:
		}
		each(s.list(), func(_ int, t *tenant) error {
			if b := t.suspend(false, s.opts.idle); b != nil {
				t.close(b)
			}
			return nil
		})
	}
}

// remove closes a tenant once nothing uses it, and after [WithDrain]'s time whatever uses it.
func (s *tenants) remove(ctx context.Context, t *tenant) error {
	drained := time.NewTimer(s.m.opts.drain)
	defer drained.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	force := s.m.opts.drain <= 0
	for wait := firstDrainPoll; t.current.Load() != nil; wait = min(2*wait, maxDrainPoll) {
		if b := t.suspend(force, 0); b != nil {
			if force {
				b.locks.closeAll()
				b.router.EndOlder()
			}
			t.close(b)
			return nil
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-drained.C:
			force = true
		case <-ctx.Done():
			return &TenantError{Key: t.key, Err: ctx.Err()}
		}
	}
	return nil
}
