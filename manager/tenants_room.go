package manager

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// take waits until one more tenant may be open.
func (s *tenants) take(ctx context.Context, key binds.Key, o *opening) error {
	began := time.Now()
	full := func() error {
		return &TenantsInUseError{Key: key, Max: s.opts.max, Waited: time.Since(began), Err: context.Cause(ctx)}
	}
	if s.takeFree() {
		return nil
	}
	o.waits.Store(true)
	defer o.waits.Store(false)
	select {
	case s.waits <- struct{}{}:
		defer func() { <-s.waits }()
	case <-ctx.Done():
		return full()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wait := firstDrainPoll; ; wait = min(2*wait, maxDrainPoll) {
		s.mu.Lock()
		freed := s.freed
		s.mu.Unlock()
		if s.takeFree() || s.makeRoom() && s.takeFree() {
			return nil
		}
		timer.Reset(wait)
		select {
		case <-freed:
		case <-timer.C: // the end of a statement tells nobody
		case <-ctx.Done():
			return full()
		}
	}
}

func (s *tenants) takeFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots >= s.opts.max {
		return false
	}
	s.slots++
	return true
}

// free gives a slot back.
func (s *tenants) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots--
	close(s.freed)
	s.freed = make(chan struct{})
}

// makeRoom closes the tenant that was not used for longest of those that are not in use, and reports whether there was one.
func (s *tenants) makeRoom() bool {
	type candidate struct {
		*tenant
		used int64
	}
	var list []candidate
	for _, t := range s.list() {
		list = append(list, candidate{t, t.used.Load()})
	}
	older := func(a, b candidate) int { return cmp.Compare(a.used, b.used) }
	closed := func(c candidate) bool {
		b := c.suspend(false, 0)
		if b != nil {
			c.close(b)
		}
		return b != nil
	}
	if len(list) == 0 {
		return false
	}
	if closed(slices.MinFunc(list, older)) { // as is usual: there is no need to put thousands in order
		return true
	}
	slices.SortFunc(list, older)
	return slices.ContainsFunc(list, closed)
}
