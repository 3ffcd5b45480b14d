package manager

import (
	"maps"
	"slices"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A book says which binds there are. It is never changed: what changes the binds puts another one in its place.
type book struct {
	binds   []*Bind // in the order of the configuration
	byKey   map[binds.Key]*Bind
	removed map[binds.Key]*Bind // whose transactions may still run
	def     *Bind               // where models without a marker live
	homes   *homes
}

func newBook() *book {
	return &book{byKey: make(map[binds.Key]*Bind), removed: make(map[binds.Key]*Bind), homes: new(homes)}
}

// copy returns a book that may be changed until it is put in the place of k.
func (k *book) copy() *book {
	return &book{binds: slices.Clone(k.binds), byKey: maps.Clone(k.byKey), removed: maps.Clone(k.removed), def: k.def, homes: new(homes)}
}

// put adds a bind, or has it take the place of that with its key.
func (k *book) put(b *Bind) {
	before := k.byKey[b.key]
	if i := slices.Index(k.binds, before); before != nil && i >= 0 {
		k.binds[i] = b
	} else {
		k.binds = append(k.binds, b)
	}
	k.byKey[b.key] = b
	delete(k.removed, b.key)
	if before != nil && k.def == before {
		k.def = b
	}
}

// remove takes a bind out.
func (k *book) remove(b *Bind) {
	k.binds = slices.DeleteFunc(k.binds, func(o *Bind) bool { return o == b })
	delete(k.byKey, b.key)
	k.removed[b.key] = b
}

// find returns the bind of a key, marker or model. That of a bind which was removed comes with a [*router.RemovedBindError].
func (k *book) find(model any) (*Bind, error) {
	key, err := binds.KeyOf(model)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return k.def, nil
	}
	if b := k.byKey[key]; b != nil {
		return b, nil
	}
	if b := k.removed[key]; b != nil {
		return b, &router.RemovedBindError{Bind: key}
	}
	return nil, &binds.UnknownBindError{Key: key, Known: keysOf(k.byKey)}
}

// names returns the binds' keys in their order.
func (k *book) names() []string {
	names := make([]string, len(k.binds))
	for i, b := range k.binds {
		names[i] = b.key.String()
	}
	return names
}
