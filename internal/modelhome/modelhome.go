// Package modelhome lets packages that know no router ask which bind a Bun DB belongs to. Each bind has a
// Bun dialect of its own, by which its DBs, connections and transactions are known.
package modelhome

import (
	"reflect"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A Bind is what is known of one bind.
type Bind struct {
	Key string
	// CheckModel returns why models of a type, a struct, must not be used in the bind.
	CheckModel func(reflect.Type) error
	// CheckQuery returns why a query must not run in the bind: on account of its model, or of another query in it.
	CheckQuery func(bun.Query) error
}

var (
	mu    sync.RWMutex // guards binds
	binds = map[schema.Dialect][]*Bind{}
)

// Declare says that the Bun DBs with dialect d belong to b, until forget is called.
func Declare(d schema.Dialect, b *Bind) (forget func()) {
	if !reflect.TypeOf(d).Comparable() {
		return func() {}
	}
	mu.Lock()
	defer mu.Unlock()
	binds[d] = append(binds[d], b)
	return sync.OnceFunc(func() {
		mu.Lock()
		defer mu.Unlock()
		var others []*Bind
		for _, other := range binds[d] {
			if other != b {
				others = append(others, other)
			}
		}
		if binds[d] = others; len(others) == 0 {
			delete(binds, d)
		}
	})
}

// Of returns the bind whose Bun DBs have dialect d: nil if there is none, or if two share it.
func Of(d schema.Dialect) *Bind {
	if !reflect.TypeOf(d).Comparable() {
		return nil
	}
	mu.RLock()
	defer mu.RUnlock()
	if known := binds[d]; len(known) == 1 {
		return known[0]
	}
	return nil
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
