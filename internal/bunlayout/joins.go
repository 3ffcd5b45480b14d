package bunlayout

import (
	"reflect"
	"sync/atomic"
	"unsafe"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A joinLayout is where Bun's struct of a relation that is loaded with a model keeps its parts.
type joinLayout struct {
	relation, joined    uintptr // *schema.Relation, bun.TableModel
	conditions, columns uintptr // []schema.QueryWithArgs
}

// joinOf returns the layout of struct t if that is Bun's struct of a relation, else nil.
func joinOf(t reflect.Type) *joinLayout {
	if t.PkgPath() != dbType.PkgPath() {
		return nil
	}
	l := new(joinLayout)
	for _, f := range []struct {
		name string
		typ  reflect.Type
		at   *uintptr
	}{
		{"Relation", reflect.TypeFor[*schema.Relation](), &l.relation},
		{"JoinModel", reflect.TypeFor[bun.TableModel](), &l.joined},
		{"additionalJoinOnConditions", reflect.TypeFor[[]schema.QueryWithArgs](), &l.conditions},
		{"columns", reflect.TypeFor[[]schema.QueryWithArgs](), &l.columns},
	} {
		field, ok := t.FieldByName(f.name)
		if !ok || field.Type != f.typ {
			return nil
		}
		*f.at = field.Offset
	}
	return l
}

// many reports whether the relation of the join at p is loaded by a query of its own. Its columns are written while
// that query is made, maybe by another goroutine: they must not be read.
func (l *joinLayout) many(p unsafe.Pointer) bool {
	rel := *(**schema.Relation)(unsafe.Add(p, l.relation))
	return rel != nil && (rel.Type == schema.HasManyRelation || rel.Type == schema.ManyToManyRelation)
}

func (l *joinLayout) model(p unsafe.Pointer) bun.TableModel {
	return *(*bun.TableModel)(unsafe.Add(p, l.joined))
}

// join looks at the join at p.
func (f *finder) join(l *joinLayout, p unsafe.Pointer) error {
	texts := infoOf(reflect.TypeFor[[]schema.QueryWithArgs]())
	if l.many(p) {
		outer := f.beside
		f.beside = l.model(p).Table().Type
		err := f.memory(texts, unsafe.Add(p, l.conditions))
		f.beside = outer
		return err
	}
	if err := f.memory(texts, unsafe.Add(p, l.conditions)); err != nil {
		return err
	}
	if err := f.memory(texts, unsafe.Add(p, l.columns)); err != nil {
		return err
	}
	return f.parts(l.model(p), false) // its own joins
}

// joinsNest reports whether builders may be parts of the joins that a select of model m makes for its
// relations.
func joinsNest(m bun.TableModel, depth int) bool {
	l := layoutOf(m)
	if l.join == nil || depth > deepestRelation {
		return true
	}
	at := dataOf(m)
	if l.within >= 0 {
		at = *(*unsafe.Pointer)(unsafe.Add(at, l.within))
	}
	at = unsafe.Add(at, l.joins)
	for i := range len(*(*[]struct{})(at)) {
		join := unsafe.Add(*(*unsafe.Pointer)(at), uintptr(i)*l.size)
		if textsMayHold(*(*[]schema.QueryWithArgs)(unsafe.Add(join, l.join.conditions))) {
			return true
		}
		if l.join.many(join) {
			continue
		}
		if textsMayHold(*(*[]schema.QueryWithArgs)(unsafe.Add(join, l.join.columns))) || joinsNest(l.join.model(join), depth+1) {
			return true
		}
	}
	return false
}

const deepestRelation = 32 // "A.B.C" has three

// modelLayout is where a type of Bun's models keeps its joins.
type modelLayout struct {
	model  uintptr     // the type's address
	join   *joinLayout // nil: not known
	within int         // the model that holds the joins is behind a pointer here; negative: it is this one
	joins  uintptr
	size   uintptr // of a join
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

// readModel finds the joins of a model.
func readModel(m bun.TableModel) *modelLayout {
	l := &modelLayout{model: typeID(m), within: -1}
	t := reflect.TypeOf(m)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return l
	}
	for _, f := range reflect.VisibleFields(t.Elem()) {
		if f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() != reflect.Struct {
			continue
		}
		if j := joinOf(f.Type.Elem()); j != nil && l.place(t.Elem(), f.Index) {
			l.join, l.size = j, f.Type.Elem().Size()
			return l
		}
	}
	return l
}

// place notes where the field at index is in struct t. It reports false if more than one pointer leads there.
func (l *modelLayout) place(t reflect.Type, index []int) bool {
	var at uintptr
	for _, i := range index {
		if t.Kind() == reflect.Pointer {
			if l.within >= 0 {
				return false
			}
			l.within, at, t = int(at), 0, t.Elem()
		}
		f := t.Field(i)
		at, t = at+f.Offset, f.Type
	}
	l.joins = at
	return true
}
