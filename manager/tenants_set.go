package manager

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/bindery-go/bindery/binds"
)

// tenants are the binds that a manager opens on demand.
type tenants struct {
	m      *DBManager
	open   TenantFunc
	opts   tenantOptions
	began  time.Time
	awake  sync.Map       // binds.Key → *tenant, of those that hold a slot and are open
	works  sync.WaitGroup // openings, closings and the sweeper
	waits  chan struct{}  // held by who waits for a slot: first come, first served
	sweeps sync.Once

	mu     sync.Mutex // guards the rest
	known  map[binds.Key]weak.Pointer[tenant]
	slots  int           // taken: never more than opts.max
	freed  chan struct{} // closed when a slot comes free
	closed bool
}

func newTenants(m *DBManager, open TenantFunc, opts tenantOptions) *tenants {
	return &tenants{m: m, open: open, opts: opts, began: time.Now(), waits: make(chan struct{}, 1),
		known: make(map[binds.Key]weak.Pointer[tenant]), freed: make(chan struct{})}
}

func (s *tenants) now() int64 { return int64(time.Since(s.began)) }

// get returns the tenant of a key, open or not.
func (s *tenants) get(key binds.Key) *tenant {
	if t, ok := s.awake.Load(key); ok {
		return t.(*tenant)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.known[key].Value(); t != nil {
		return t
	}
	t := &tenant{set: s, key: key, fronts: new(fronts)}
	s.known[key] = weak.Make(t)
	runtime.AddCleanup(t, s.forget, key)
	runtime.AddCleanup(t, (*fronts).close, t.fronts)
	return t
}

// forget is called when nobody holds a tenant of the key any more.
func (s *tenants) forget(key binds.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.known[key]; ok && p.Value() == nil {
		delete(s.known, key)
	}
}

// use returns the bind of a key, and opens it if it is closed.
func (s *tenants) use(ctx context.Context, key binds.Key) (*Bind, error) {
	if t, ok := s.awake.Load(key); ok {
		t := t.(*tenant)
		if b := t.current.Load(); b != nil {
			t.touch()
			return b, nil
		}
	}
	if err := validKey(key); err != nil {
		return nil, &TenantError{Key: key, Err: err}
	}
	return s.get(key).use(ctx)
}

// work runs fn in a goroutine that the closing of the manager waits for, unless that has begun.
func (s *tenants) work(fn func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.works.Go(fn)
	return true
}

// hold is pin for a key.
func (s *tenants) hold(ctx context.Context, key binds.Key) (b *Bind, release func(), err error) {
	if err := validKey(key); err != nil {
		return nil, nothing, &TenantError{Key: key, Err: err}
	}
	return s.get(key).hold(ctx)
}

// list returns the tenants that are open.
func (s *tenants) list() (list []*tenant) {
	s.awake.Range(func(_, t any) bool {
		list = append(list, t.(*tenant))
		return true
	})
	return list
}

// isOpen reports whether the tenant of a key is open, or about to be.
func (s *tenants) isOpen(key binds.Key) bool {
	if _, ok := s.awake.Load(key); ok {
		return true
	}
	s.mu.Lock()
	t := s.known[key].Value()
	s.mu.Unlock()
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opening != nil
}

// tenantOf returns the tenant that b names, open or not: nil if a bind of the configuration has the key, or a tenant cannot have it.
func (m *DBManager) tenantOf(b binds.Bound) *tenant {
	_, err := m.book.Load().find(b)
	var unknown *binds.UnknownBindError
	if m.tenants == nil || !errors.As(err, &unknown) || validKey(unknown.Key) != nil {
		return nil
	}
	return m.tenants.get(unknown.Key)
}

// closeAll closes what is open, after the manager's closing has ended. Nothing is opened from then on.
func (s *tenants) closeAll() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.works.Wait()
	errs := each(s.list(), func(_ int, t *tenant) error {
		t.mu.Lock()
		b, closing := t.current.Load(), t.closing
		t.mu.Unlock()
		if closing != nil {
			<-closing
		}
		if b == nil {
			return nil
		}
		return b.close()
	})
	s.mu.Lock()
	known := make([]*tenant, 0, len(s.known))
	for _, p := range s.known {
		if t := p.Value(); t != nil {
			known = append(known, t)
		}
	}
	s.mu.Unlock()
	for _, t := range known {
		t.fronts.close()
	}
	return errors.Join(errs...)
}
