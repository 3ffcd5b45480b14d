package modelhome_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/bindery-go/bindery/internal/modelhome"
)

func TestOf(t *testing.T) {
	wrong := errors.New("lives elsewhere")
	bind := func(key string) *modelhome.Bind {
		return &modelhome.Bind{
			Key:        key,
			CheckModel: func(reflect.Type) error { return wrong },
			CheckQuery: func(bun.Query) error { return wrong },
		}
	}
	d, other := pgdialect.New(), sqlitedialect.New()
	a, b := bind("a"), bind("b")
	assert.Nil(t, modelhome.Of(d))
	assert.NoError(t, modelhome.CheckModel(d, reflect.TypeFor[int]()))
	assert.NoError(t, modelhome.CheckQuery(d, nil))

	forget := modelhome.Declare(d, a)
	assert.Same(t, a, modelhome.Of(d))
	assert.Nil(t, modelhome.Of(other))
	assert.ErrorIs(t, modelhome.CheckModel(d, reflect.TypeFor[int]()), wrong)
	assert.ErrorIs(t, modelhome.CheckQuery(d, nil), wrong)

	forgetB := modelhome.Declare(d, b)
	assert.Nil(t, modelhome.Of(d), "two share it: nothing is known")
	forget()
	forget()
	assert.Same(t, b, modelhome.Of(d))
	forgetB()
	assert.Nil(t, modelhome.Of(d))
}
