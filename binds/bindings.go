package binds

import (
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// bindings remembers what every type seen says. It finds a type by the address of its descriptor, which
// KeyOf has at hand in the interface value: a fraction of the cost of a sync.Map by reflect.Type.
var bindings struct {
	slots atomic.Pointer[bindingSlots]

	mu    sync.Mutex // one writer at a time; guards count
	count int
}

// bindingSlots are a hash table: each type stands in the first free slot from the one that its address
// leads to. Slots are filled and never emptied, so that looking takes no lock. There are a power of two of
// them, at least twice as many as types.
type bindingSlots []atomic.Pointer[binding]

const fewestSlots = 64

// find returns the binding of a type, or nil, and its slot.
func (s bindingSlots) find(id uintptr) (*binding, *atomic.Pointer[binding]) {
	const odd = 0x9e3779b97f4a7c15
	last := uint64(len(s) - 1)
	for i := uint64(id) * odd >> 32; ; i++ {
		slot := &s[i&last]
		if b := slot.Load(); b == nil || b.id == id {
			return b, slot
		}
	}
}

// bindingOf returns what the type of model, which is not nil, says.
func bindingOf(model any) *binding {
	id := typeID(model)
	if slots := bindings.slots.Load(); slots != nil {
		if b, _ := slots.find(id); b != nil {
			return b
		}
	}
	return learn(id, reflect.TypeOf(model))
}

// learn reads t and remembers it. BindKey methods run outside the lock: one may call KeyOf.
func learn(id uintptr, t reflect.Type) *binding {
	b := readBinding(t)
	b.id = id
	bindings.mu.Lock()
	defer bindings.mu.Unlock()
	slots := roomForOne()
	first, slot := slots.find(id)
	if first != nil {
		return first
	}
	slot.Store(b)
	bindings.count++
	return b
}

// roomForOne returns slots that one more binding fits into. Those who still look at the slots of before
// miss what is new, and come to learn. Bindings.mu is held.
func roomForOne() bindingSlots {
	old := bindings.slots.Load()
	if old == nil {
		old = new(bindingSlots)
	} else if 2*(bindings.count+1) <= len(*old) {
		return *old
	}
	slots := make(bindingSlots, max(2*len(*old), fewestSlots))
	for i := range *old {
		if b := (*old)[i].Load(); b != nil {
			_, slot := slots.find(b.id)
			slot.Store(b)
		}
	}
	bindings.slots.Store(&slots)
	return slots
}

// typeID returns the address of the type descriptor in an interface value. Descriptors neither
// move nor die: the linker lays them out, and package reflect keeps those it makes.
func typeID(model any) uintptr {
	return *(*uintptr)(unsafe.Pointer(&model))
}
