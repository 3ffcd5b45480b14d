package models

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/panicked"
)

// A columnKind says which values a column takes.
type columnKind int

const (
	kindOther columnKind = iota // values of the field's own type, and what it scans
	kindInt
	kindFloat
	kindBool
	kindText
	kindBytes
	kindTime
	kindDate  // a day without a zone
	kindEpoch // an integer that counts time
	kindSealed
	kindStored // values of the field's own type and of what that holds, which Scan is not asked to read
)

func (k columnKind) String() string {
	return [...]string{"special", "integer", "float", "bool", "text", "binary", "time", "date", "Unix time", "encrypted", "serialized"}[k]
}

// ranged reports whether an array of two is a range of such columns.
func (k columnKind) ranged() bool {
	return k == kindInt || k == kindFloat || k.temporal()
}

func (k columnKind) temporal() bool { return k == kindTime || k == kindDate || k == kindEpoch }

// A filterColumn is a column as a query names it.
type filterColumn struct {
	model reflect.Type // whose column it is
	name  string       // as the caller named it
	sql   string       // qualified and quoted
	field *schema.Field
	kind  columnKind
	unit  time.Duration // of kindEpoch
	cast  cast
	sent  bool // whether a request named it
}

func newFilterColumn(d dialect.Name, t *schema.Table, f *schema.Field, name, qualifier string) *filterColumn {
	c := &filterColumn{model: t.Type, name: name, sql: qualifier + string(f.SQLName), field: f, cast: castOn(d, f)}
	c.kind = kindOf(f)
	if c.kind == kindInt {
		if c.unit = epochUnit(t.Type, f); c.unit != 0 {
			c.kind = kindEpoch
		}
	}
	return c
}

// condition writes a condition on the column. The methods of values and of the field's type that this calls may panic.
func (c *filterColumn) condition(write func() (clause, error)) (clause, error) {
	written, err := func() (written clause, err error) {
		defer panicked.Catch(&err, "a method that a condition calls", c.field.IndirectType)
		return write()
	}()
	if err != nil {
		return noRow, c.failed(err)
	}
	return written, nil
}

// failed gives an error its place.
func (c *filterColumn) failed(err error) error {
	if err == nil {
		return nil
	}
	return &FilterError{Model: c.model, Column: c.name, Err: err, sent: c.sent}
}

var knownKinds = map[reflect.Type]columnKind{
	reflect.TypeFor[time.Time]():       kindTime,
	reflect.TypeFor[sql.NullTime]():    kindTime,
	reflect.TypeFor[bun.NullTime]():    kindTime,
	reflect.TypeFor[sql.NullString]():  kindText,
	reflect.TypeFor[sql.NullBool]():    kindBool,
	reflect.TypeFor[sql.NullFloat64](): kindFloat,
	reflect.TypeFor[sql.NullInt64]():   kindInt,
	reflect.TypeFor[sql.NullInt32]():   kindInt,
	reflect.TypeFor[sql.NullInt16]():   kindInt,
	reflect.TypeFor[sql.NullByte]():    kindInt,
}

// sealedField is what an [Encrypted] of any type is, and nothing else.
type sealedField interface {
	KeyID() string
	Clear()
}

func kindOf(f *schema.Field) columnKind {
	typ := f.IndirectType
	ptr := reflect.PointerTo(typ)
	kind, known := knownKinds[typ]
	switch {
	case kind == kindTime && strings.EqualFold(f.UserSQLType, "date"):
		return kindDate
	case known:
		return kind
	case hasSealed(typ):
		return kindSealed
	case isStored(typ):
		return kindStored
	case implements[driver.Valuer](ptr), implements[sql.Scanner](ptr), implements[schema.QueryAppender](ptr):
		return kindOther
	case f.Tag.HasOption("msgpack"), f.Tag.HasOption("array"), f.Tag.HasOption("hstore"):
		return kindOther
	case isJSON(f):
		return kindOther
	}
	return basicKind(typ)
}

func isJSON(f *schema.Field) bool {
	typ := strings.ToUpper(f.UserSQLType)
	return typ == "JSON" || typ == "JSONB"
}

func basicKind(typ reflect.Type) columnKind {
	switch kind := typ.Kind(); {
	case kind == reflect.String:
		return kindText
	case kind == reflect.Bool:
		return kindBool
	case reflect.Int <= kind && kind <= reflect.Uint64:
		return kindInt
	case kind == reflect.Float32, kind == reflect.Float64:
		return kindFloat
	case isByteSlice(typ) && typ != reflect.TypeFor[json.RawMessage]():
		return kindBytes
	case kind == reflect.Array && typ.Elem().Kind() == reflect.Uint8:
		return kindBytes
	}
	return kindOther
}

func isByteSlice(typ reflect.Type) bool {
	return typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Uint8
}

var epochUnits = map[string]time.Duration{
	"epoch": time.Millisecond, "epoch:s": time.Second, "epoch:ms": time.Millisecond,
	"epoch:us": time.Microsecond, "epoch:ns": time.Nanosecond,
}

// epochUnit returns what an integer column counts, if it counts time.
func epochUnit(model reflect.Type, f *schema.Field) time.Duration {
	if unit, ok := epochUnits[f.StructField.Tag.Get("models")]; ok {
		return unit
	}
	owner := model
	for _, i := range f.Index[:len(f.Index)-1] {
		owner = owner.Field(i).Type
		if owner.Kind() == reflect.Pointer {
			owner = owner.Elem()
		}
	}
	if owner == reflect.TypeFor[EpochTimestamps]() {
		return time.Millisecond
	}
	return 0
}

// asList returns the values of what is a list of them, not one value of the column.
func (c *filterColumn) asList(v any) ([]any, bool) {
	rv := followed(v, c.field.IndirectType)
	if !rv.IsValid() || rv.Kind() != reflect.Slice || isByteSlice(rv.Type()) || rv.Type() == c.field.IndirectType || speaks(rv.Type()) {
		return nil, false
	}
	if c.isHeld(v) {
		return nil, false
	}
	list := make([]any, rv.Len())
	for i := range list {
		list[i] = rv.Index(i).Interface()
	}
	return list, true
}

// isHeld reports whether v is one value of a serialized column, though it may look like a list or a range.
func (c *filterColumn) isHeld(v any) bool {
	if c.kind != kindStored {
		return false
	}
	_, ok := held(c.field.IndirectType, reflect.ValueOf(v))
	return ok
}

// asRange returns the ends of what is a range, not one value of the column.
func (c *filterColumn) asRange(v any) (ends Range, ok bool, err error) {
	rv := followed(v, c.field.IndirectType)
	if !rv.IsValid() || rv.Type() == c.field.IndirectType || c.isHeld(v) {
		return Range{}, false, nil
	}
	switch v := rv.Interface().(type) {
	case Range:
		return v, true, nil
	case map[string]any:
		if !c.kind.ranged() {
			return Range{}, false, nil
		}
		for key := range v {
			if key != "from" && key != "to" {
				return Range{}, true, errRangeKeys
			}
		}
		if len(v) == 0 {
			return Range{}, true, errRangeEmpty
		}
		return Range{From: v["from"], To: v["to"]}, true, nil
	}
	typ := rv.Type()
	if typ.Kind() != reflect.Array || typ.Elem().Kind() == reflect.Uint8 || speaks(typ) {
		return Range{}, false, nil
	}
	if typ.Len() != 2 || !c.kind.ranged() {
		return Range{}, true, errArray
	}
	return Range{From: rv.Index(0).Interface(), To: rv.Index(1).Interface()}, true, nil
}

// isOpen reports whether an end of a range on the column is open.
func (c *filterColumn) isOpen(v any) bool {
	rv := followed(v, nil)
	if !rv.IsValid() {
		return true
	}
	switch v := rv.Interface().(type) {
	case time.Time:
		return v.IsZero()
	case driver.Valuer:
		plain, err := v.Value()
		return err == nil && plain == nil
	case string:
		return v == "" && c.kind.ranged()
	}
	return false
}

// speaks reports whether values of the type say themselves what they are in SQL.
func speaks(typ reflect.Type) bool {
	return implements[driver.Valuer](typ) || implements[schema.QueryAppender](typ)
}

func implements[T any](typ reflect.Type) bool { return typ.Implements(reflect.TypeFor[T]()) }

// followed follows pointers and interfaces from v, but not past a value of type until, nor past a
// pointer that alone speaks for itself. It returns the zero Value for nil.
func followed(v any, until reflect.Type) reflect.Value {
	rv := reflect.ValueOf(v)
	for rv.IsValid() && (rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Interface) && rv.Type() != until {
		if rv.IsNil() {
			return reflect.Value{}
		}
		if rv.Kind() == reflect.Pointer && speaks(rv.Type()) && !speaks(rv.Type().Elem()) && rv.Type().Elem() != until {
			return rv
		}
		rv = rv.Elem()
	}
	return rv
}
