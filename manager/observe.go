package manager

import (
	"errors"
	"sync"

	"github.com/bindery-go/bindery/router"
)

// ErrObserved reports a [DBManager.Observe] of a manager that is observed already.
var ErrObserved = errors.New("manager: observe: somebody observes the manager already: end that first")

// An observer says who is told of a bind.
type observer struct {
	of func(*Bind) router.Observer
}

// Observe has of say who is told what happens on each bind, those included that [DBManager.Add], [DBManager.Reload] and [WithTenants] open later; a bind that
// Reload changes, and a tenant that is opened again, keep who is told. Package observe is made of it. Of is called once for each bind, never twice at a time, and must not change
// the manager's binds; nil stands for nobody. It must not use the bind before it is told of something, and not keep tenants ([Bind.OnDemand]): they would never be forgotten. Stop ends it, and may be called again. A manager has one at a time: the second is [ErrObserved]. It
// is safe for concurrent use, and waits while binds are being changed.
func (m *DBManager) Observe(of func(b *Bind) router.Observer) (stop func(), err error) {
	m.changing <- struct{}{}
	defer func() { <-m.changing }()
	m.observing.Lock()
	defer m.observing.Unlock()
	switch {
	case m.closed.Load():
		return nil, ErrClosed
	case of == nil:
		return nil, router.ErrNilFunc
	case m.observer != nil:
		return nil, ErrObserved
	}
	m.observer = &observer{of}
	for _, b := range append(m.Binds(), m.Tenants()...) {
		m.observeLocked(b)
	}
	return sync.OnceFunc(m.unobserve), nil
}

func (m *DBManager) unobserve() {
	m.observing.Lock()
	defer m.observing.Unlock()
	m.observer = nil
	for _, b := range append(m.Binds(), m.Tenants()...) {
		m.observeLocked(b)
	}
	for _, b := range m.book.Load().removed {
		b.router.Observe(nil)
	}
}

// observe has a bind that was opened tell who is told of the others.
func (m *DBManager) observe(b *Bind) {
	m.observing.Lock()
	defer m.observing.Unlock()
	m.observeLocked(b)
}

func (m *DBManager) observeLocked(b *Bind) {
	if t := b.tenant; t != nil { // its router may be the successor of one that was observed before it was closed
		if t.observer == m.observer {
			return
		}
		t.observer = m.observer
	}
	if m.observer == nil {
		b.router.Observe(nil)
		return
	}
	b.router.Observe(m.observer.of(b))
}

// OnDemand reports whether the bind is a tenant's, see [WithTenants].
func (b *Bind) OnDemand() bool { return b.tenant != nil }
