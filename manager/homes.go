package manager

import (
	"sync/atomic"
	"unsafe"

	"github.com/bindery-go/bindery/binds"
)

// homes remembers in which binds models live, by their types: every query asks. Looking takes no lock
// and allocates nothing. The zero value is empty and ready.
type homes struct {
	slots [1 << homeBits]atomic.Pointer[modelHome]
}

const homeBits = 12 // a thousand models rarely share a slot

// modelHome is the bind where models of one type live.
type modelHome struct {
	model uintptr // the type, see typeOf
	bind  *Bind
}

// of returns the bind where model lives, nil if that is not remembered.
func (h *homes) of(model any) *Bind {
	t := typeOf(model)
	if known := h.slot(t).Load(); known != nil && known.model == t {
		return known.bind
	}
	return nil
}

// add remembers that models of model's type live in b, if that is so whatever their values. A slot that
// is taken stays so: two types that share one must not make work for each other for ever.
func (h *homes) add(model any, b *Bind) {
	t := typeOf(model)
	if slot := h.slot(t); slot.Load() == nil && binds.IsFixed(model) && !binds.IsMarker(model) {
		slot.CompareAndSwap(nil, &modelHome{model: t, bind: b})
	}
}

func (h *homes) slot(t uintptr) *atomic.Pointer[modelHome] {
	const odd = 0x9e3779b97f4a7c15
	return &h.slots[uint64(t)*odd>>(64-homeBits)]
}

// typeOf returns the address of the type descriptor in an interface value. Descriptors neither move nor
// die.
func typeOf(model any) uintptr { return *(*uintptr)(unsafe.Pointer(&model)) }
