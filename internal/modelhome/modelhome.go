// Package modelhome lets packages that know no router ask which bind a Bun DB belongs to. Each bind has a
// Bun dialect of its own, by which its DBs, connections and transactions are known.
package modelhome

import (
	"reflect"
	"sync"

	"github.com/uptrace/bun/schema"
)

// A Bind is what is known of one bind.
type Bind struct {
	Key string
	// Check returns why models of a type, a struct, must not be used in the bind.
	Check func(reflect.Type) error
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

// Check returns why models of type t, a struct, must not be used with a Bun DB of dialect d: nil if
// nothing is known of it.
func Check(d schema.Dialect, t reflect.Type) error {
	if b := Of(d); b != nil {
		return b.Check(t)
	}
	return nil
}
