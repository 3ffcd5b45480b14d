package manager

import (
	"errors"
	"sync"

	"github.com/bindery-go/bindery/router"
)

// ErrObserved reports a [DBManager.Observe] of a manager that is observed already.
var ErrObserved = errors.New("manager: observe: somebody observes the manager already: end that first")

// Observe has of say who is told what happens on each bind, those included that [DBManager.Add] and [DBManager.Reload] open later; a bind that
// Reload changes keeps who is told. Package observe is made of it. Of is called once for each bind, never twice at a time, and must not change
// the manager's binds; nil stands for nobody. Stop ends it, and may be called again. A manager has one at a time: the second is [ErrObserved]. It
// is safe for concurrent use, and waits while binds are being changed.
func (m *DBManager) Observe(of func(b *Bind) router.Observer) (stop func(), err error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	switch {
	case m.closed.Load():
		return nil, ErrClosed
	case of == nil:
		return nil, router.ErrNilFunc
	case m.observer != nil:
		return nil, ErrObserved
	}
	m.observer = of
	for _, b := range m.book.Load().binds {
		b.router.Observe(of(b))
	}
	return sync.OnceFunc(m.unobserve), nil
}

func (m *DBManager) unobserve() {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.observer = nil
	k := m.book.Load()
	for _, b := range k.binds {
		b.router.Observe(nil)
	}
	for _, b := range k.removed {
		b.router.Observe(nil)
	}
}

// observe has a bind that was opened tell who is told of the others. The caller holds m.changing.
func (m *DBManager) observe(b *Bind) {
	if m.observer != nil {
		b.router.Observe(m.observer(b))
	}
}
