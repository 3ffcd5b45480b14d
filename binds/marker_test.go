package binds_test

import (
	"reflect"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

// Markers.
type (
	Accounts struct{}
	Audit    struct{}
	Nowhere  struct{} // names the default bind in words
	Strict   struct{} // answers by pointer only
	hidden   struct{}
)

func (Accounts) BindKey() binds.Key { return "accounts" }
func (Audit) BindKey() binds.Key    { return "audit" }
func (Nowhere) BindKey() binds.Key  { return "" }
func (*Strict) BindKey() binds.Key  { return "strict" }
func (hidden) BindKey() binds.Key   { return "hidden" }

// Mixins.
type (
	Base struct {
		Accounts
		CreatedAt int64
	}
	PointerBase struct {
		*Accounts
		UpdatedAt int64
	}
	Plain     struct{ Note string }
	OtherBase struct{ Base }
	base      struct{ hidden }
)

// Models.
type (
	User struct {
		bun.BaseModel `bun:"table:users"`
		Accounts
		ID int64
	}
	ByPointer       struct{ *Accounts }
	InMixin         struct{ Base }
	InMixinPointer  struct{ *Base }
	InPointerMixin  struct{ PointerBase }
	PointersAllDown struct{ *PointerBase }
	PointerReceiver struct{ Strict }
	PointerStrict   struct{ *Strict }
	Unexported      struct{ hidden }
	UnexportedDeep  struct{ *base }
	Generic[T any]  struct {
		Accounts
		Value T
	}
	GenericMarked[M any] struct{ Value M }
	Unmarked             struct{ Plain }
	Defaulted            struct{ Nowhere }
	FieldHidesMethod     struct {
		Accounts
		BindKey string
	}
	NamedNotEmbedded struct{ Marker Accounts }

	SameDepth struct {
		Accounts
		Audit
	}
	OtherDepth struct {
		Base
		Audit
	}
	DeepBothSides struct {
		Base
		//lint:ignore U1000 KeyOf finds it by reflection
		*base
	}
	Thrice struct {
		Accounts
		Audit
		//lint:ignore U1000 KeyOf finds it by reflection
		*hidden
	}
	DefaultAndOther struct {
		Nowhere
		Accounts
	}
	TwiceInMixins struct {
		Base
		PointerBase
	}
	SharedMixinTwice struct {
		OtherBase
		InMixin
	}
	Diamond struct {
		*OtherBase
		Base
	}

	SaysItself         struct{ ID int64 }
	Contradicts        struct{ Accounts }
	Agrees             struct{ Accounts }
	ContradictingMixin struct{ Contradicts }

	EmbedsInterface     struct{ binds.Bound }
	EmbedsInterfaceDeep struct{ EmbedsInterface }
	EmbedsKey           struct{ binds.Key }
	EmbedsOther         struct{ error }

	Loop  struct{ *Loop }
	LoopA struct{ *LoopB }
	LoopB struct {
		*LoopA
		Accounts
	}
	Endless *Endless
	Slices  []Slices

	Panics       struct{ ID int64 }
	EmbedsPanics struct{ Panics }
	PanicsOnZero struct{ next *binds.Key }
	Tenant       string
	Users        []Unmarked
	WithEmbedded struct {
		*Plain
		ID int64
	}
	EmptyModel   struct{ bun.BaseModel }
	EmbedsTenant struct{ Tenant }
	OwnByPointer struct{ key binds.Key }
	MapOfTenants map[string]Tenant
)

func (SaysItself) BindKey() binds.Key      { return "itself" }
func (Contradicts) BindKey() binds.Key     { return "other" }
func (Agrees) BindKey() binds.Key          { return "accounts" }
func (Panics) BindKey() binds.Key          { panic("out of keys") }
func (p PanicsOnZero) BindKey() binds.Key  { return *p.next }
func (t Tenant) BindKey() binds.Key        { return "tenant-" + binds.Key(t) }
func (Users) BindKey() binds.Key           { return "users" }
func (EmptyModel) BindKey() binds.Key      { return "empty" }
func (o *OwnByPointer) BindKey() binds.Key { return "own-" + o.key }

// BindKey uses an embedded pointer, which a zero value does not have.
func (w WithEmbedded) BindKey() binds.Key { return binds.Key("with" + w.Note) }

func ptr[T any](v T) *T { return &v }

func TestKeyOf(t *testing.T) {
	for reason, row := range map[string]struct {
		model any
		want  binds.Key
	}{
		"a value":                                 {User{}, "accounts"},
		"a pointer":                               {&User{}, "accounts"},
		"a pointer to a pointer":                  {ptr(&User{}), "accounts"},
		"a typed nil":                             {(*User)(nil), "accounts"},
		"a pointer to a typed nil":                {ptr((*User)(nil)), "accounts"},
		"a nil pointer to a pointer":              {(**User)(nil), "accounts"},
		"a slice":                                 {[]User{}, "accounts"},
		"a nil slice":                             {[]User(nil), "accounts"},
		"a slice of pointers":                     {[]*User{}, "accounts"},
		"a pointer to a slice":                    {&[]User{}, "accounts"},
		"a pointer to a slice of pointers":        {&[]*User{}, "accounts"},
		"a nil pointer to a slice":                {(*[]User)(nil), "accounts"},
		"an array":                                {[2]User{}, "accounts"},
		"a marker with data that says the same":   {EmbedsConstant{}, "constant"},
		"a marker by pointer":                     {ByPointer{}, "accounts"},
		"a marker by pointer that points":         {ByPointer{&Accounts{}}, "accounts"},
		"a marker in a mixin":                     {InMixin{}, "accounts"},
		"a marker in a mixin by pointer":          {InMixinPointer{}, "accounts"},
		"a marker by pointer in a mixin":          {InPointerMixin{}, "accounts"},
		"pointers all the way down":               {&PointersAllDown{}, "accounts"},
		"a pointer receiver":                      {PointerReceiver{}, "strict"},
		"a pointer receiver by pointer":           {PointerStrict{}, "strict"},
		"a slice of models with pointer receiver": {[]PointerReceiver{}, "strict"},
		"an unexported marker":                    {Unexported{}, "hidden"},
		"an unexported mixin by pointer":          {UnexportedDeep{}, "hidden"},
		"a generic model":                         {Generic[int]{}, "accounts"},
		"the same of another type":                {&Generic[[]User]{}, "accounts"},
		"no marker":                               {Unmarked{}, ""},
		"a marker in a mixin by Bun's tag":        {ByTag{}, "accounts"},
		"a marker with a lock":                    {EmbedsLocked{}, "locked"},
		"a marker that names the default":         {Defaulted{}, ""},
		"a field called BindKey hides no marker":  {FieldHidesMethod{}, "accounts"},
		// Go promotes neither copy at one depth, but both say the same: there is nothing to choose.
		"one marker type through two mixins":      {TwiceInMixins{}, "accounts"},
		"one mixin through two mixins":            {SharedMixinTwice{}, "accounts"},
		"one mixin at two depths":                 {Diamond{}, "accounts"},
		"a model that says it itself":             {SaysItself{}, "itself"},
		"a slice of those":                        {[]SaysItself{}, "itself"},
		"a nil pointer to one of those":           {(*SaysItself)(nil), "itself"},
		"a model that says what its marker says":  {Agrees{}, "accounts"},
		"its own method uses an embedded pointer": {(*WithEmbedded)(nil), "with"},
		"an embedded interface of another kind":   {EmbedsOther{}, ""},
		"an embedded pointer to itself":           {Loop{}, ""},
		"two types that embed each other":         {LoopA{}, "accounts"},
		"a pointer type without an end":           {Endless(nil), ""},
		"a slice type without an end":             {Slices{}, ""},
		"a marker value":                          {Accounts{}, "accounts"},
		"a marker pointer":                        {&Accounts{}, "accounts"},
		"a nil marker pointer":                    {(*Accounts)(nil), "accounts"},
		"a marker with a pointer receiver":        {&Strict{}, "strict"},
		"its value":                               {Strict{}, "strict"},
		"a key":                                   {binds.Key("k"), "k"},
		"the empty key":                           {binds.Key(""), ""},
		"a pointer to a key":                      {ptr(binds.Key("k")), "k"},
		"a pointer to a pointer to a key":         {ptr(ptr(binds.Key("k"))), "k"},
		"a bound that is no struct":               {Tenant("a"), "tenant-a"},
		"a pointer to one":                        {ptr(Tenant("a")), "tenant-a"},
		"a slice of them asks a zero one":         {[]Tenant{"a"}, "tenant-"},
		"a pointer's own answer":                  {&OwnByPointer{"a"}, "own-a"},
		"a value whose pointer answers":           {OwnByPointer{"a"}, "own-"},
		"a named slice with a method":             {Users{}, "users"},
		"a pointer to one of these":               {&Users{}, "users"},
		"a map":                                   {map[string]any{"id": 1}, ""},
		"a slice of maps":                         {&[]map[string]any{}, ""},
		"a map of bounds":                         {MapOfTenants{}, ""},
		"a slice of anything":                     {[]any{User{}}, ""},
		"a scalar":                                {42, ""},
		"a pointer to a scalar":                   {new(int), ""},
		"a string":                                {"accounts", ""},
		"bytes":                                   {[]byte("accounts"), ""},
		"a function":                              {func() {}, ""},
		"a channel":                               {make(chan User), ""},
	} {
		t.Run(reason, func(t *testing.T) {
			for range 2 { // read, then remembered
				key, err := binds.KeyOf(row.model)
				require.NoError(t, err)
				assert.Equal(t, row.want, key)
			}
		})
	}
}

func TestKeyOfNil(t *testing.T) {
	for reason, model := range map[string]any{
		"an untyped nil":            nil,
		"an interface with nothing": error(nil),
		"a nil key":                 (*binds.Key)(nil),
		"a pointer to a nil key":    ptr((*binds.Key)(nil)),
	} {
		key, err := binds.KeyOf(model)
		require.ErrorIs(t, err, binds.ErrNilModel, reason)
		assert.Empty(t, key, reason)
	}
}

func TestKeyOfAmbiguous(t *testing.T) {
	type m struct {
		of   reflect.Type
		key  binds.Key
		path string
	}
	accounts, audit := reflect.TypeFor[Accounts](), reflect.TypeFor[Audit]()
	hid := reflect.TypeFor[hidden]()
	for reason, row := range map[string]struct {
		model any
		want  []m
		text  string
	}{
		"two at one depth": {SameDepth{}, []m{{accounts, "accounts", "Accounts"}, {audit, "audit", "Audit"}},
			`binds: model binds_test.SameDepth has 2 markers, binds_test.Accounts (bind "accounts", as Accounts) and ` +
				`binds_test.Audit (bind "audit", as Audit): keep one`},
		"one hides the other at another depth": {[]*OtherDepth{}, []m{{accounts, "accounts", "Base.Accounts"}, {audit, "audit", "Audit"}}, ""},
		"two in the depths":                    {&DeepBothSides{}, []m{{accounts, "accounts", "Base.Accounts"}, {hid, "hidden", "base.hidden"}}, ""},
		"three":                                {Thrice{}, []m{{accounts, "accounts", "Accounts"}, {audit, "audit", "Audit"}, {hid, "hidden", "hidden"}}, ""},
		"the default and another": {DefaultAndOther{}, []m{{reflect.TypeFor[Nowhere](), "", "Nowhere"}, {accounts, "accounts", "Accounts"}},
			`binds: model binds_test.DefaultAndOther has 2 markers, binds_test.Nowhere (bind "default", as Nowhere) and ` +
				`binds_test.Accounts (bind "accounts", as Accounts): keep one`},
		"a model contradicts its marker": {(*Contradicts)(nil),
			[]m{{reflect.TypeFor[Contradicts](), "other", "Contradicts"}, {accounts, "accounts", "Accounts"}}, ""},
		"embedded in a circle, an error rather than a guess": {LoopB{},
			[]m{{reflect.TypeFor[LoopA](), "accounts", "LoopA"}, {accounts, "accounts", "Accounts"}}, ""},
		"a mixin contradicts its marker": {ContradictingMixin{},
			[]m{{reflect.TypeFor[Contradicts](), "other", "Contradicts"}, {accounts, "accounts", "Contradicts.Accounts"}}, ""},
	} {
		t.Run(reason, func(t *testing.T) {
			key, err := binds.KeyOf(row.model)
			var ambiguous *binds.AmbiguousBindError
			require.ErrorAs(t, err, &ambiguous)
			assert.Empty(t, key)
			var got []m
			for _, x := range ambiguous.Markers {
				got = append(got, m{x.Type, x.Key, x.Path})
				assert.Contains(t, err.Error(), x.Type.String())
			}
			assert.Equal(t, row.want, got)
			assert.Contains(t, err.Error(), ambiguous.Model.String())
			if row.text != "" {
				assert.EqualError(t, err, row.text)
			}
			assert.False(t, binds.IsMarker(row.model))
		})
	}
}

func TestKeyOfDynamic(t *testing.T) {
	const atRunTime = ", whose bind is known only at run time: embed a marker struct instead"
	for reason, row := range map[string]struct {
		model any
		text  string
	}{
		"an embedded interface":     {EmbedsInterface{}, "binds: model binds_test.EmbedsInterface embeds Bound" + atRunTime},
		"one with a value":          {EmbedsInterface{Accounts{}}, "binds: model binds_test.EmbedsInterface embeds Bound" + atRunTime},
		"one in a mixin":            {&[]EmbedsInterfaceDeep{}, "binds: model binds_test.EmbedsInterfaceDeep embeds EmbedsInterface.Bound" + atRunTime},
		"an embedded key":           {EmbedsKey{"k"}, "binds: model binds_test.EmbedsKey embeds Key" + atRunTime},
		"an embedded text":          {EmbedsTenant{"a"}, "binds: model binds_test.EmbedsTenant embeds Tenant" + atRunTime},
		"one that holds its key":    {EmbedsData{WithData{"k"}}, "binds: model binds_test.EmbedsData embeds WithData" + atRunTime},
		"one that points to it":     {&EmbedsDataByP{}, "binds: model binds_test.EmbedsDataByP embeds WithDataByP" + atRunTime},
		"one that has a flag":       {EmbedsFlagged{}, "binds: model binds_test.EmbedsFlagged embeds Flagged" + atRunTime},
		"a slice of interfaces":     {[]binds.Bound{Accounts{}}, "binds: a slice of or pointer to binds.Bound names no bind: pass one of its values"},
		"a pointer to an interface": {new(binds.Bound), "binds: a slice of or pointer to binds.Bound names no bind: pass one of its values"},
		"a slice of keys":           {[]binds.Key{"k"}, "binds: a slice of or pointer to binds.Key names no bind: pass one of its values"},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := binds.KeyOf(row.model)
			var dynamic *binds.DynamicBindError
			require.ErrorAs(t, err, &dynamic)
			assert.EqualError(t, err, row.text)
		})
	}
}

// A method that panics is a mistake to report, never a model of the default bind.
func TestKeyOfPanics(t *testing.T) {
	for reason, row := range map[string]struct {
		model any
		text  string
	}{
		"a model's own":      {Panics{}, "binds: BindKey of a zero binds_test.Panics panics (out of keys): it must return one key for every value"},
		"an embedded one":    {(*EmbedsPanics)(nil), "binds: BindKey of a zero binds_test.Panics panics (out of keys): it must return one key for every value"},
		"one on zero values": {PanicsOnZero{ptr(binds.Key("k"))}, ""},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := binds.KeyOf(row.model)
			var broken *binds.BindKeyError
			require.ErrorAs(t, err, &broken)
			assert.NotNil(t, broken.Cause)
			if row.text != "" {
				assert.EqualError(t, err, row.text)
			}
		})
	}
}

func TestKeyOfType(t *testing.T) {
	for reason, row := range map[string]struct {
		of   reflect.Type
		want binds.Key
	}{
		"a model":            {reflect.TypeFor[User](), "accounts"},
		"a slice":            {reflect.TypeFor[[]*User](), "accounts"},
		"a key has only one": {reflect.TypeFor[binds.Key](), ""},
	} {
		key, err := binds.KeyOfType(row.of)
		require.NoError(t, err, reason)
		assert.Equal(t, row.want, key, reason)
	}
	_, err := binds.KeyOfType(nil)
	require.ErrorIs(t, err, binds.ErrNilModel)
	_, err = binds.KeyOfType(reflect.TypeFor[SameDepth]())
	require.ErrorAs(t, err, new(*binds.AmbiguousBindError))
	_, err = binds.KeyOfType(reflect.TypeFor[binds.Bound]())
	require.ErrorAs(t, err, new(*binds.DynamicBindError))
}

func TestIsMarker(t *testing.T) {
	for reason, row := range map[string]struct {
		model any
		want  bool
	}{
		"a marker":                          {Accounts{}, true},
		"a marker by pointer":               {&Accounts{}, true},
		"a nil marker pointer":              {(*Accounts)(nil), true},
		"a pointer receiver":                {Strict{}, true},
		"a key":                             {binds.Key(""), true},
		"a pointer to a key":                {ptr(binds.Key("k")), true},
		"a model":                           {User{}, false},
		"an empty model with a marker":      {ByPointer{}, false},
		"a model with its own BindKey":      {SaysItself{}, false},
		"an empty model that names a table": {EmptyModel{}, false},
		"a slice of markers":                {[]Accounts{}, false},
		"a bound with a value":              {Tenant("a"), false},
		"no bound":                          {struct{}{}, false},
		"nil":                               {nil, false},
	} {
		assert.Equal(t, row.want, binds.IsMarker(row.model), reason)
	}
}

func TestKeyOfAllocatesNothing(t *testing.T) {
	models := []any{&User{}, &[]*User{}, (*User)(nil), InMixinPointer{}, &Unmarked{}, Accounts{}, &SaysItself{}, binds.Key("k"), SameDepth{}}
	for _, m := range models {
		allocs := testing.AllocsPerRun(100, func() { _, _ = binds.KeyOf(m) })
		assert.Zero(t, allocs, "%T", m)
	}
}

func TestKeyOfConcurrently(t *testing.T) {
	models := make([]any, 64)
	for i := range models { // types that nobody has seen
		models[i] = reflect.New(reflect.StructOf([]reflect.StructField{
			{Name: "Accounts", Type: reflect.TypeFor[Accounts](), Anonymous: true},
			{Name: "Values", Type: reflect.ArrayOf(i+1, reflect.TypeFor[int]())},
		})).Interface()
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, m := range models {
				key, err := binds.KeyOf(m)
				assert.NoError(t, err)
				assert.Equal(t, binds.Key("accounts"), key)
			}
		})
	}
	wg.Wait()
}

// TestKeyOfManyTypes learns ten times as many types with ten times the memory, or little more, and still knows
// the first ones.
func TestKeyOfManyTypes(t *testing.T) {
	next := 1000
	learned := func(types int) (bytes uint64) {
		models := make([]any, types)
		for i := range models { // types that nobody has seen
			next++
			models[i] = reflect.Zero(reflect.PointerTo(reflect.ArrayOf(next, reflect.TypeFor[User]()))).Interface()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 2 {
			for _, m := range models {
				key, err := binds.KeyOf(m)
				require.NoError(t, err)
				require.Equal(t, binds.Key("accounts"), key)
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	few := learned(300)
	assert.Less(t, float64(learned(3000))/float64(few), 20.0)
}

func BenchmarkKeyOf(b *testing.B) {
	for name, model := range map[string]any{
		"pointer": &User{}, "slice": &[]*User{}, "default": &Unmarked{}, "marker": Accounts{}, "key": binds.Key("k"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = binds.KeyOf(model)
			}
		})
	}
}
