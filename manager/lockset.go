package manager

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A lockSet holds the locks of a bind that are held or waited for, so that closing the bind ends them.
type lockSet struct {
	closing context.Context // ends when close is called
	close   context.CancelFunc
	waiters sync.WaitGroup // of those who wait for a lock
	limits  LockLimits
	refused atomic.Uint64

	mu     sync.Mutex // guards the rest
	open   map[*Lock]struct{}
	turns  map[string]*lockTurn
	conns  int // for locks, or about to be made
	calls  int // that have no lock yet
	closed bool
}

// A lockTurn lets one at a time of those who wait for a name do so on the server: the rest would each
// take one of the server's connections, for nothing.
type lockTurn struct {
	taken chan struct{}
	users int // who has or wants it
}

func newLockSet(limits LockLimits) *lockSet {
	s := &lockSet{limits: limits.WithDefaults(), open: make(map[*Lock]struct{}), turns: make(map[string]*lockTurn)}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// enter lets one more wait: until ctx ends, or all of them are ended. Beyond says that the limits do not count.
func (s *lockSet) enter(ctx context.Context, beyond bool) (waiting context.Context, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	if most := s.limits.MaxWaiting; most > 0 && s.calls >= most && !beyond {
		s.refused.Add(1)
		return nil, nil, &LockLimitError{Waiting: true, Limit: most}
	}
	s.calls++
	s.waiters.Add(1)
	waiting, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	return waiting, func() {
		stop()
		cancel()
		s.mu.Lock()
		s.calls--
		s.mu.Unlock()
		s.waiters.Done()
	}, nil
}

// connect counts one more connection, to ask for name. Whoever gets no error calls disconnect when it is closed. Where there are as
// many as allowed, a lock that this process holds is known to be taken without a connection: tries says that this is all
// that was to be asked.
func (s *lockSet) connect(name string, tries, beyond bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := s.limits.MaxOpen; most > 0 && s.conns >= most && !beyond {
		if tries && s.holdsLocked(name) {
			return ErrLockTimeout
		}
		s.refused.Add(1)
		return &LockLimitError{Limit: most}
	}
	s.conns++
	return nil
}

func (s *lockSet) holdsLocked(name string) bool {
	for l := range s.open {
		if l.name == name && l.watch.lost() == nil {
			return true
		}
	}
	return false
}

// A countedLock is a connection for a lock that is counted until it is closed.
type countedLock struct {
	binds.NamedLock
	set    *lockSet
	closed atomic.Bool
}

func (l *countedLock) Close() error {
	err := l.NamedLock.Close()
	if !l.closed.Swap(true) {
		l.set.disconnect()
	}
	return err
}

func (s *lockSet) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns--
}

// count puts into stats how many connections there are for locks, how many calls wait, and how many were refused.
func (s *lockSet) count(stats *router.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats.Locks, stats.LockWaiting, stats.LocksRefused = s.conns, s.calls, s.refused.Load()
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
