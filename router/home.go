package router

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// home knows which models live in a bind. A model is looked at once; after that a query costs one
// load and one comparison.
type home struct {
	key         binds.Key
	defaultBind binds.Key // where models without a marker live
	tables      *schema.Tables
	peer        func(binds.Key) *Router

	hot      [1 << hotBits]atomic.Pointer[schema.Table] // tables that live here, by a hash of their address
	verdicts sync.Map                                   // *schema.Table → *verdict
}

// hotBits: of fifty models of a bind some five pairs share a slot, and take turns in it.
const hotBits = 8

// verdict is what is known of one model.
type verdict struct {
	key binds.Key // where it lives, if err is nil
	err error     // why no query can use it
}

// isHot reports whether t is known to live here. False means: ask [home.of].
func (h *home) isHot(t *schema.Table) bool {
	return h.slot(t).Load() == t
}

// slot picks a place by address. Tables do not move; if they did, a miss would be all.
func (h *home) slot(t *schema.Table) *atomic.Pointer[schema.Table] {
	const odd = 0x9e3779b97f4a7c15
	return &h.hot[uint64(uintptr(unsafe.Pointer(t)))*odd>>(64-hotBits)]
}

// of returns the router of the bind where a query's model lives: nil for this bind, another one
// for a has-many relation across binds, and an error for every other stranger.
func (h *home) of(m bun.TableModel) (*Router, error) {
	t := m.Table()
	v := h.verdict(t)
	switch {
	case v.err != nil:
		return nil, v.err
	case v.key == h.key:
		h.slot(t).Store(t)
		return nil, nil
	case m.Relation() == nil:
		return nil, &WrongBindError{Model: t.Type, ModelBind: v.key, Bind: h.key}
	}
	if h.peer != nil {
		if p := h.peer(v.key); p != nil {
			return p, nil
		}
	}
	return nil, &binds.UnknownBindError{Key: v.key, Known: []binds.Key{h.key}}
}

// keyOf returns the bind where models of type t live.
func (h *home) keyOf(t reflect.Type) (binds.Key, error) {
	key, err := binds.KeyOfType(t)
	if key == "" {
		key = h.defaultBind
	}
	return key, err
}

func (h *home) verdict(t *schema.Table) *verdict {
	if v, ok := h.verdicts.Load(t); ok {
		return v.(*verdict)
	}
	key, err := h.keyOf(t.Type)
	if err == nil {
		err = h.checkRelations(t, key, map[reflect.Type]bool{})
	}
	v, _ := h.verdicts.LoadOrStore(t, &verdict{key: key, err: err})
	return v.(*verdict)
}

var joinNames = map[int]string{
	schema.HasOneRelation:     "has-one",
	schema.BelongsToRelation:  "belongs-to",
	schema.ManyToManyRelation: "m2m",
}

// checkRelations finds the first relation of t that joins tables of two binds, also through the
// relations that a nested join would follow.
func (h *home) checkRelations(t *schema.Table, key binds.Key, seen map[reflect.Type]bool) error {
	if seen[t.Type] {
		return nil
	}
	seen[t.Type] = true
	for _, name := range sortedRelations(t) {
		rel := t.Relations[name]
		kind, joins := joinNames[rel.Type]
		if !joins {
			continue
		}
		for _, other := range []*schema.Table{rel.JoinTable, rel.M2MTable} {
			if other == nil {
				continue
			}
			otherKey, err := h.keyOf(other.Type)
			if err != nil {
				return err
			}
			if otherKey != key {
				return &CrossBindRelationError{
					Model: t.Type, Field: name, Bind: key,
					Related: other.Type, RelatedBind: otherKey, Relation: kind,
				}
			}
		}
		if rel.Type == schema.ManyToManyRelation {
			continue // loaded by a query of its own, which checks its own model
		}
		// A related table may still be without its own relations: ask for the finished one.
		if err := h.checkRelations(h.tables.Get(rel.JoinTable.Type), key, seen); err != nil {
			return err
		}
	}
	return nil
}

// sortedRelations returns the names of t's relations in a fixed order, so that a model with several
// mistakes gives the same error each time.
func sortedRelations(t *schema.Table) []string {
	return slices.Sorted(maps.Keys(t.Relations))
}
