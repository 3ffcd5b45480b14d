// Package modelhome lets packages that know no router ask which bind a Bun DB belongs to. Each bind has a
// Bun dialect of its own, by which its DBs, connections and transactions are known.
package modelhome

import (
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A Bind is what is known of one bind.
type Bind struct {
	Key string
	// Placed says that the Bun DBs take every model as one that lives in the bind: whoever uses them has named it.
	Placed bool
	// CheckModel returns why models of a type, a struct, must not be used in the bind.
	CheckModel func(reflect.Type) error
	// CheckQuery returns why a query must not run in the bind: on account of its model, or of another query in it.
	CheckQuery func(bun.Query) error
}

// Homes are the binds that one dialect was declared to belong to. A dialect that has a method ModelHomes, which returns its own, keeps
// them itself, and takes them along when nobody uses it any more. The zero value is empty and ready.
type Homes struct {
	mu   sync.Mutex // held while list is replaced
	list atomic.Pointer[[]*Bind]
}

func (h *Homes) change(with func([]*Bind) []*Bind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := with(slices.Clone(h.all()))
	h.list.Store(&list)
}

func (h *Homes) all() []*Bind {
	if list := h.list.Load(); list != nil {
		return *list
	}
	return nil
}

// A keeper is a dialect that keeps its homes.
type keeper interface{ ModelHomes() *Homes }

var (
	mu    sync.RWMutex // guards binds
	binds = map[schema.Dialect]*Homes{}
)

// Declare says that the Bun DBs with dialect d belong to b, until forget is called.
func Declare(d schema.Dialect, b *Bind) (forget func()) {
	if k, ok := d.(keeper); ok {
		h := k.ModelHomes()
		h.add(b)
		return sync.OnceFunc(func() { h.remove(b) })
	}
	if !reflect.TypeOf(d).Comparable() {
		return func() {}
	}
	mu.Lock()
	defer mu.Unlock()
	h := binds[d]
	if h == nil {
		h = new(Homes)
		binds[d] = h
	}
	h.add(b)
	return sync.OnceFunc(func() {
		mu.Lock()
		defer mu.Unlock()
		if h.remove(b); len(h.all()) == 0 {
			delete(binds, d)
		}
	})
}

func (h *Homes) add(b *Bind) { h.change(func(list []*Bind) []*Bind { return append(list, b) }) }

func (h *Homes) remove(b *Bind) {
	h.change(func(list []*Bind) []*Bind { return slices.DeleteFunc(list, func(o *Bind) bool { return o == b }) })
}

// Of returns the bind whose Bun DBs have dialect d: nil if there is none, or if two share it.
func Of(d schema.Dialect) *Bind {
	if known := of(d); known != nil {
		if list := known.all(); len(list) == 1 {
			return list[0]
		}
	}
	return nil
}

func of(d schema.Dialect) *Homes {
	if k, ok := d.(keeper); ok {
		return k.ModelHomes()
	}
	if !reflect.TypeOf(d).Comparable() {
		return nil
	}
	mu.RLock()
	defer mu.RUnlock()
	return binds[d]
}

// CheckModel returns why models of type t, a struct, must not be used with a Bun DB of dialect d: nil if
// nothing is known of it.
func CheckModel(d schema.Dialect, t reflect.Type) error {
	if b := Of(d); b != nil {
		return b.CheckModel(t)
	}
	return nil
}

// CheckQuery returns why q must not run with a Bun DB of dialect d: nil if nothing is known of it.
func CheckQuery(d schema.Dialect, q bun.Query) error {
	if b := Of(d); b != nil {
		return b.CheckQuery(q)
	}
	return nil
}
