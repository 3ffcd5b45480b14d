package manager

import (
	"context"
	"sync"
)

// A lockSet holds the locks of a bind that are held or waited for, so that closing the bind ends them.
type lockSet struct {
	closing context.Context // ends when close is called
	close   context.CancelFunc
	waiters sync.WaitGroup // of those who wait for a lock

	mu     sync.Mutex // guards the rest
	open   map[*Lock]struct{}
	turns  map[string]*lockTurn
	closed bool
}

// A lockTurn lets one at a time of those who wait for a name do so on the server: the rest would each
// take one of the server's connections, for nothing.
type lockTurn struct {
	taken chan struct{}
	users int // who has or wants it
}

func newLockSet() *lockSet {
	s := &lockSet{open: make(map[*Lock]struct{}), turns: make(map[string]*lockTurn)}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// enter lets one more wait: until ctx ends, or all of them are ended.
func (s *lockSet) enter(ctx context.Context) (waiting context.Context, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	s.waiters.Add(1)
	waiting, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	return waiting, func() { stop(); cancel(); s.waiters.Done() }, nil
}

// turn waits until the caller may wait for name on the server, first come, first served.
func (s *lockSet) turn(ctx context.Context, name string) (leave func(), err error) {
	s.mu.Lock()
	t := s.turns[name]
	if t == nil {
		t = &lockTurn{taken: make(chan struct{}, 1)}
		s.turns[name] = t
	}
	t.users++
	s.mu.Unlock()
	forget := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(s.turns, name)
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; forget() }, nil
	case <-ctx.Done():
		forget()
		return func() {}, ctx.Err()
	}
}

func (s *lockSet) add(l *Lock) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.open[l] = struct{}{}
	return nil
}

func (s *lockSet) remove(l *Lock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, l)
}

// closeAll ends every wait, frees every lock and waits for all of it.
func (s *lockSet) closeAll() {
	s.mu.Lock()
	s.closed = true
	open := make([]*Lock, 0, len(s.open))
	for l := range s.open {
		open = append(open, l)
	}
	s.mu.Unlock()
	s.close()
	var freed sync.WaitGroup
	for _, l := range open {
		freed.Go(func() { l.unlock(ErrClosed) })
	}
	freed.Wait()
	s.waiters.Wait()
}
