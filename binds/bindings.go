package binds

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// bindings remembers what every type seen says. Readers take a snapshot that is replaced, never
// edited, and find a type by the address of its descriptor, which KeyOf has at hand in the
// interface value: half the cost of a sync.Map by reflect.Type. A program has as many models as
// its source names, so copying the map for each new one is cheap.
var bindings struct {
	snapshot atomic.Pointer[map[uintptr]*binding]
	mu       sync.Mutex // one writer at a time
}

// bindingOf returns what the type of model, which is not nil, says.
func bindingOf(model any) *binding {
	id := typeID(model)
	if seen := bindings.snapshot.Load(); seen != nil {
		if b, ok := (*seen)[id]; ok {
			return b
		}
	}
	return learn(id, reflect.TypeOf(model))
}

// learn reads t and remembers it. BindKey methods run outside the lock: one may call KeyOf.
func learn(id uintptr, t reflect.Type) *binding {
	b := readBinding(t)
	bindings.mu.Lock()
	defer bindings.mu.Unlock()
	next := map[uintptr]*binding{}
	if seen := bindings.snapshot.Load(); seen != nil {
		if first, ok := (*seen)[id]; ok {
			return first
		}
		next = maps.Clone(*seen)
	}
	next[id] = b
	bindings.snapshot.Store(&next)
	return b
}

// typeID returns the address of the type descriptor in an interface value. Descriptors neither
// move nor die: the linker lays them out, and package reflect keeps those it makes.
func typeID(model any) uintptr {
	return *(*uintptr)(unsafe.Pointer(&model))
}
