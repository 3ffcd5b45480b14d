package binds_test

import (
	"database/sql/driver"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

// Markers that are no markers, and models that hold them.
type (
	WithData     struct{ key binds.Key }
	WithDataByP  struct{ key *binds.Key }
	Constant     struct{ Region string }
	Flagged      struct{ on [1]bool }
	ReturnsText  struct{}
	TakesArg     struct{}
	NamedPointer struct{ Bind *Accounts }
	NamedInMixin struct{ NamedNotEmbedded }
	NamedHidden  struct {
		//lint:ignore U1000 KeyOf finds it by reflection
		bind Accounts
	}
	NamedAndEmbedded struct {
		Accounts
		Second Audit
	}
	NamedWithData struct{ Bind WithData }
	Excused       struct {
		Bind Accounts `bun:"-"`
	}
	Related struct {
		User  *User `bun:"rel:belongs-to,join:id=id"`
		Owner User
		Tags  Users
		Bind  Tenant // a column
	}
	EmbedsData     struct{ WithData }
	EmbedsDataByP  struct{ *WithDataByP }
	EmbedsFlagged  struct{ Flagged }
	EmbedsConstant struct{ Constant }
	EmbedsText     struct{ ReturnsText }
	EmbedsArg      struct{ *TakesArg }
)

type (
	wrapper         struct{ Accounts }
	opaque          struct{ id int64 }
	NamedSlice      struct{ Binds []Accounts }
	NamedWrapper    struct{ Bind *wrapper }
	NamedConstant   struct{ Bind Constant }
	NamedInterface  struct{ Bind binds.Bound }
	HasValue        struct{ ID opaque }
	MarkedWithValue struct {
		Accounts
		Of Constant
	}
	MarkedWithText struct {
		Accounts
		ReturnsText
	}
	ByTag struct {
		Base  Base `bun:"embed:"`
		Other int
	}
	Misspelt       struct{}
	EmbedsMisspelt struct{ Misspelt }
	Locked         struct {
		mu sync.Mutex
		n  int
	}
	EmbedsLocked struct{ *Locked }
)

func (Misspelt) Bindkey() binds.Key            { return "accounts" }
func (opaque) BindKey() binds.Key              { return "ids" }
func (o *opaque) Value() (driver.Value, error) { return o.id, nil }
func (l *Locked) BindKey() binds.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return "locked"
}

func (w WithData) BindKey() binds.Key { return w.key }
func (w *WithDataByP) BindKey() binds.Key {
	if w.key == nil {
		return "none"
	}
	return *w.key
}
func (Constant) BindKey() binds.Key { return "constant" }
func (f Flagged) BindKey() binds.Key {
	if f.on[0] {
		return "on"
	}
	return "off"
}
func (ReturnsText) BindKey() string          { return "accounts" }
func (*TakesArg) BindKey(k string) binds.Key { return binds.Key(k) }

func TestKeyOfNamedMarker(t *testing.T) {
	accounts := reflect.TypeFor[Accounts]()
	for reason, row := range map[string]struct {
		model  any
		marker reflect.Type
		field  string
	}{
		"a field with a name":       {NamedNotEmbedded{}, accounts, "Marker"},
		"a pointer":                 {&[]*NamedPointer{}, accounts, "Bind"},
		"in a mixin":                {NamedInMixin{}, accounts, "NamedNotEmbedded.Marker"},
		"a field without export":    {(*NamedHidden)(nil), accounts, "bind"},
		"of a type parameter":       {GenericMarked[Accounts]{}, accounts, "Value"},
		"beside an embedded one":    {NamedAndEmbedded{}, reflect.TypeFor[Audit](), "Second"},
		"a marker that has the key": {NamedWithData{}, reflect.TypeFor[WithData](), "Bind"},
		"a slice of such models":    {[]NamedNotEmbedded{}, accounts, "Marker"},
		"a slice of markers":        {NamedSlice{}, accounts, "Binds"},
		"what embeds a marker":      {NamedWrapper{}, reflect.TypeFor[wrapper](), "Bind"},
		"a marker with a column":    {NamedConstant{}, reflect.TypeFor[Constant](), "Bind"},
		"an interface":              {NamedInterface{}, reflect.TypeFor[binds.Bound](), "Bind"},
	} {
		t.Run(reason, func(t *testing.T) {
			key, err := binds.KeyOf(row.model)
			var named *binds.NamedMarkerError
			require.ErrorAs(t, err, &named)
			assert.Empty(t, key)
			assert.Equal(t, row.field, named.Field)
			assert.Equal(t, row.marker, named.Marker)
			assert.NotNil(t, named.Model)
		})
	}
	_, err := binds.KeyOf(NamedNotEmbedded{})
	assert.EqualError(t, err, "binds: model binds_test.NamedNotEmbedded has the marker binds_test.Accounts in the field Marker, where it says "+
		"nothing: embed it, by a line that holds nothing but the type (a field that is no marker takes a tag, `bun:\"-\"` or its column's)")
	key, err := binds.KeyOf(MarkedWithValue{})
	require.NoError(t, err, "the marker decides")
	assert.EqualValues(t, "accounts", key)
	for _, model := range []any{Excused{}, Related{}, HasValue{}} {
		key, err := binds.KeyOf(model)
		require.NoError(t, err, "%T", model)
		assert.Empty(t, key)
	}
}

func TestKeyOfSignature(t *testing.T) {
	for _, model := range []any{EmbedsText{}, &[]EmbedsText{}, ReturnsText{}, EmbedsMisspelt{}} {
		_, err := binds.KeyOf(model)
		var wrong *binds.BindKeyError
		require.ErrorAs(t, err, &wrong, "%T", model)
		assert.Contains(t, err.Error(), "make it BindKey, a func() binds.Key")
	}
	_, err := binds.KeyOf(EmbedsText{})
	assert.EqualError(t, err, "binds: the method BindKey of binds_test.ReturnsText is a func() string and names no bind: make it BindKey, a func() binds.Key")
	for _, model := range []any{EmbedsArg{}, TakesArg{}} { // a method of something else
		key, err := binds.KeyOf(model)
		require.NoError(t, err, "%T", model)
		assert.Empty(t, key)
	}
	key, err := binds.KeyOf(MarkedWithText{})
	require.NoError(t, err, "the marker decides")
	assert.EqualValues(t, "accounts", key)
}
