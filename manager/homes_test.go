package manager

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bindery-go/bindery/binds"
)

type (
	homesMarker struct{}
	marked      struct {
		homesMarker
		ID int64
	}
	asked struct{ key binds.Key }
)

func (homesMarker) BindKey() binds.Key { return "shop" }
func (a *asked) BindKey() binds.Key    { return a.key }

// TestHomes remembers only what is true of every value of a type.
func TestHomes(t *testing.T) {
	shop := new(Bind)
	for reason, row := range map[string]struct {
		model      any
		remembered bool
	}{
		"a model with a marker":            {new(marked), true},
		"a slice of models":                {new([]marked), true},
		"a nil pointer":                    {(*marked)(nil), true},
		"a model of the default bind":      {new(struct{ ID int64 }), true},
		"a marker names a bind, no table":  {homesMarker{}, false},
		"a key says something by value":    {binds.Key("shop"), false},
		"a model that is asked by value":   {&asked{"shop"}, false},
		"nothing is the model of no query": {nil, false},
	} {
		var h homes
		assert.Nil(t, h.of(row.model), reason)
		h.add(row.model, shop)
		assert.Equal(t, row.remembered, h.of(row.model) == shop, reason)
		assert.Nil(t, h.of(new(other)), reason)
		assert.Zero(t, testing.AllocsPerRun(100, func() { h.of(row.model) }), reason)
	}
}

// TestHomesTaken asks for a model whose slot another one has: it is found in the usual way each time, and
// that makes no work for the collector.
func TestHomesTaken(t *testing.T) {
	var h homes
	shop := new(Bind)
	model := any(new(marked))
	h.slot(typeOf(model)).Store(&modelHome{model: typeOf(new(other)), bind: new(Bind)})
	assert.Zero(t, testing.AllocsPerRun(100, func() { h.add(model, shop) }))
	assert.Nil(t, h.of(model))
}

type other struct{ ID int64 }
