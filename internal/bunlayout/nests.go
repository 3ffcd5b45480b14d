package bunlayout

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// Nests reports whether another builder may be part of q, whose model is m: nil if it has none. It is
// made for the usual query, which has no such part: it allocates nothing. True is a reason to ask
// [Nested].
func Nests(q bun.Query, m bun.TableModel) bool {
	switch q := q.(type) {
	case *bun.SelectQuery:
		return SelectNests(q, m)
	case *bun.InsertQuery:
		return insertShape.mayHold(unsafe.Pointer(q)) || rowsMayHold(q, m)
	case *bun.UpdateQuery:
		return updateShape.mayHold(unsafe.Pointer(q)) || rowsMayHold(q, m)
	case *bun.DeleteQuery:
		return deleteShape.mayHold(unsafe.Pointer(q))
	case *bun.RawQuery:
		return rawShape.mayHold(unsafe.Pointer(q))
	}
	return true
}

// SelectNests is [Nests] for a SELECT.
func SelectNests(q *bun.SelectQuery, m bun.TableModel) bool {
	return selectShape.mayHold(unsafe.Pointer(q)) || m != nil && joinsNest(m, 0)
}

var (
	selectShape = shapeOf(reflect.TypeFor[bun.SelectQuery]())
	insertShape = shapeOf(reflect.TypeFor[bun.InsertQuery]())
	updateShape = shapeOf(reflect.TypeFor[bun.UpdateQuery]())
	deleteShape = shapeOf(reflect.TypeFor[bun.DeleteQuery]())
	rawShape    = shapeOf(reflect.TypeFor[bun.RawQuery]())
	dbArgs      = slotsOf(dbType, 0)[0].word // of WithNamedArg
)

// A shape tells where structs of one type may hold a builder.
type shape struct {
	slots []slot
	// words are offsets, one for each slot but those that most queries fill: zeros there mean that the
	// rest are empty. Those that the array has no room for are in more.
	words [16]uintptr
	more  []uintptr
	where int // the offset of the conditions, -1 if there are none
	db    int // the offset of the *bun.DB, -1 if there is none
}

// A slot is one place.
type slot struct {
	at   uintptr
	word uintptr // the offset of what is zero if it is empty
	kind slotKind
	size uintptr // of an element of lists
	in   *shape  // an element's own
}

type slotKind uint8

const (
	whatever   slotKind = iota // a pointer, a map, an interface
	arguments                  // []any
	texts                      // []schema.QueryWithArgs
	conditions                 // []schema.QueryWithSep
	lists                      // a slice of other structs
	database                   // *bun.DB
)

// shapeOf returns the shape of a struct.
func shapeOf(t reflect.Type) *shape { return newShape(slotsOf(t, 0)) }

func newShape(slots []slot) *shape {
	s := &shape{slots: slots, where: -1, db: -1}
	var words []uintptr
	for _, slot := range slots {
		switch {
		case slot.kind == conditions && s.where < 0:
			s.where = int(slot.at)
		case slot.kind == database:
			s.db = int(slot.at)
		default:
			words = append(words, slot.word)
		}
	}
	if len(words) == 0 {
		words = append(words, slots[0].word)
	}
	n := copy(s.words[:], words)
	s.more = words[n:]
	for ; n < len(s.words); n++ {
		s.words[n] = words[0] // to look there once more does no harm
	}
	return s
}

// slotsOf finds the slots of a struct that begins at the offset at.
func slotsOf(t reflect.Type, at uintptr) (found []slot) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !isPart(t, f) || !holds(f.Type) || f.Type.Implements(modelType) { // models: see joinsNest
			continue
		}
		s := slot{at: at + f.Offset, word: at + f.Offset}
		switch kind := f.Type.Kind(); {
		case kind == reflect.Struct:
			found = append(found, slotsOf(f.Type, s.at)...)
			continue
		case f.Type == reflect.PointerTo(dbType):
			s.kind = database
		case kind == reflect.Slice:
			s.word += unsafe.Sizeof(s.word) // its length
			s.kind, s.size, s.in = listOf(f.Type.Elem())
		}
		found = append(found, s)
	}
	return found
}

// listOf tells how to read a slice of t.
func listOf(t reflect.Type) (kind slotKind, size uintptr, in *shape) {
	switch {
	case t == anyType:
		return arguments, 0, nil
	case t == reflect.TypeFor[schema.QueryWithArgs]():
		return texts, 0, nil
	case t == reflect.TypeFor[schema.QueryWithSep]():
		return conditions, 0, nil
	case t.Kind() == reflect.Struct:
		return lists, t.Size(), shapeOf(t)
	}
	return whatever, 0, nil
}

// mayHold reports whether the struct at p may hold a builder.
func (s *shape) mayHold(p unsafe.Pointer) bool {
	w := &s.words
	filled := wordAt(p, w[0]) | wordAt(p, w[1]) | wordAt(p, w[2]) | wordAt(p, w[3]) |
		wordAt(p, w[4]) | wordAt(p, w[5]) | wordAt(p, w[6]) | wordAt(p, w[7]) |
		wordAt(p, w[8]) | wordAt(p, w[9]) | wordAt(p, w[10]) | wordAt(p, w[11]) |
		wordAt(p, w[12]) | wordAt(p, w[13]) | wordAt(p, w[14]) | wordAt(p, w[15])
	for _, at := range s.more {
		filled |= wordAt(p, at)
	}
	if filled != 0 && s.search(p) {
		return true
	}
	if s.where >= 0 {
		if where := *(*[]schema.QueryWithSep)(unsafe.Add(p, s.where)); len(where) > 0 && conditionsMayHold(where) {
			return true
		}
	}
	return s.db >= 0 && wordAt(*(*unsafe.Pointer)(unsafe.Add(p, s.db)), dbArgs) != 0
}

func wordAt(p unsafe.Pointer, at uintptr) uintptr { return *(*uintptr)(unsafe.Add(p, at)) }

// search looks at the slots that are not empty.
func (s *shape) search(p unsafe.Pointer) bool {
	for i := range s.slots {
		slot := &s.slots[i]
		if wordAt(p, slot.word) != 0 && slot.mayHold(unsafe.Add(p, slot.at)) {
			return true
		}
	}
	return false
}

// mayHold reports whether the slot at p, which is not empty, may hold a builder.
func (s *slot) mayHold(p unsafe.Pointer) bool {
	switch s.kind {
	case arguments:
		return argumentsMayHold(*(*[]any)(p))
	case texts:
		return textsMayHold(*(*[]schema.QueryWithArgs)(p))
	case conditions:
		return conditionsMayHold(*(*[]schema.QueryWithSep)(p))
	case lists:
		first := *(*unsafe.Pointer)(p)
		for i := range len(*(*[]struct{})(p)) {
			if s.in.mayHold(unsafe.Add(first, uintptr(i)*s.size)) {
				return true
			}
		}
		return false
	case database:
		return false // shape.mayHold looks at it
	}
	return true
}

func textsMayHold(all []schema.QueryWithArgs) bool {
	for i := range all {
		if argumentsMayHold(all[i].Args) {
			return true
		}
	}
	return false
}

func conditionsMayHold(all []schema.QueryWithSep) bool {
	for i := range all {
		if argumentsMayHold(all[i].Args) {
			return true
		}
	}
	return false
}

func argumentsMayHold(args []any) bool {
	for _, v := range args {
		if argumentMayHold(v) {
			return true
		}
	}
	return false
}

// argumentMayHold is holds for an argument of a query's text.
func argumentMayHold(v any) bool {
	switch v := v.(type) {
	case nil, string, int, int64, int32, uint64, float64, bool, []byte, time.Time,
		[]string, []int, []int64, bun.Safe, bun.Name, bun.Ident, bun.Order:
		return false
	case schema.QueryWithArgs:
		return argumentsMayHold(v.Args)
	case bun.ListValues, bun.TupleValues:
		return sliceMayHold(reflect.ValueOf(v).Field(0).Elem())
	case bun.Query:
		return true
	}
	t := reflect.TypeOf(v)
	switch {
	case t == inType && inSlice >= 0:
		in := unsafe.Add(reflect.ValueOf(v).UnsafePointer(), inSlice)
		return sliceMayHold(*(*reflect.Value)(in))
	}
	return holds(t)
}

func sliceMayHold(v reflect.Value) bool { return v.IsValid() && holds(v.Type()) }

// What bun.In returns, and where it keeps its slice: negative if that is not known.
var (
	//lint:ignore SA1019 it is what applications have been using, and still do
	inType  = reflect.TypeOf(schema.In([]int(nil)))
	inSlice = offsetOf(inType.Elem(), valueType)
)

// offsetOf returns where a struct has its field of type f, or -1.
func offsetOf(t, f reflect.Type) int {
	for i := range t.NumField() {
		if t.Field(i).Type == f {
			return int(t.Field(i).Offset)
		}
	}
	return -1
}
