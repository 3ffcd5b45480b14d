package bunlayout

import (
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/uptrace/bun"
)

const deepestRelation = 32 // "A.B.C" has three

// joinsNest reports whether builders may be parts of the joins that a select of model m makes for its
// relations.
func joinsNest(m bun.TableModel, depth int) bool {
	l := layoutOf(m)
	if l.joins < 0 || depth > deepestRelation {
		return true
	}
	at := unsafe.Add(dataOf(m), l.joins)
	n := len(*(*[]struct{})(at))
	for i := range n {
		join := unsafe.Add(*(*unsafe.Pointer)(at), uintptr(i)*l.size)
		if l.in.mayHold(join) {
			return true
		}
		if joined := *(*bun.TableModel)(unsafe.Add(join, l.joined)); joined != nil && joinsNest(joined, depth+1) {
			return true
		}
	}
	return false
}

// modelLayout is where a type of Bun's models keeps its joins.
type modelLayout struct {
	model  uintptr // the type's address
	joins  int     // negative: not known
	size   uintptr
	joined int // in a join: the joined model
	in     *shape
}

// layouts remembers the layouts of the models seen. Bun has three or four types.
var layouts [8]atomic.Pointer[modelLayout]

func layoutOf(m bun.TableModel) *modelLayout {
	id := typeID(m)
	if l := layouts[0].Load(); l != nil && l.model == id {
		return l
	}
	return findLayout(m, id)
}

func findLayout(m bun.TableModel, id uintptr) *modelLayout {
	for i := range layouts {
		l := layouts[i].Load()
		if l == nil {
			l = readModel(m)
			layouts[i].CompareAndSwap(nil, l)
			return l
		}
		if l.model == id {
			return l
		}
	}
	return readModel(m)
}

// typeID returns the address of the type descriptor in an interface value. Descriptors do not move.
func typeID(v any) uintptr { return *(*uintptr)(unsafe.Pointer(&v)) }

// dataOf returns the pointer in an interface value.
func dataOf(m bun.TableModel) unsafe.Pointer { return (*[2]unsafe.Pointer)(unsafe.Pointer(&m))[1] }

// readModel finds the joins of a model: the slice of structs that hold models. A join knows the model
// that it begins at, too; the joined one stands after it.
func readModel(m bun.TableModel) *modelLayout {
	t := reflect.TypeOf(m)
	l := &modelLayout{model: typeID(m), joins: -1}
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return l
	}
	for _, f := range reflect.VisibleFields(t.Elem()) {
		if f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() != reflect.Struct {
			continue
		}
		join := f.Type.Elem()
		joined, ok := join.FieldByName("JoinModel")
		if !ok || joined.Type != reflect.TypeFor[bun.TableModel]() {
			continue
		}
		l.joins, l.size, l.joined = offsetAt(t.Elem(), f.Index), join.Size(), int(joined.Offset)
		l.in = newShape(slices.DeleteFunc(slotsOf(join, 0), func(s slot) bool {
			return s.kind == whatever // the join that this one begins at
		}))
		return l
	}
	return l
}

// offsetAt returns where the field at index is in a struct, -1 if it is behind a pointer.
func offsetAt(t reflect.Type, index []int) int {
	at := 0
	for n, i := range index {
		f := t.Field(i)
		at += int(f.Offset)
		if t = f.Type; t.Kind() != reflect.Struct && n < len(index)-1 {
			return -1
		}
	}
	return at
}
