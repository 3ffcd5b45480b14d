package models

import (
	"database/sql/driver"
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun/schema"
)

// A rowSizer bounds how many bytes a row's values need in an INSERT. It is for one goroutine.
type rowSizer struct {
	gen      schema.QueryGen
	fixed    int             // what is the same for every row
	texts    []*schema.Field // strings and bytes: at most two bytes for each
	rendered []*schema.Field // only Bun knows
	scratch  []byte
}

// What values need at most, with a separator.
const (
	numberSize = 24 // -9223372036854775808; a float may have 300 digits
	timeSize   = 48 // '2006-01-02 15:04:05.999999999+00:00:00'
	quotesSize = 8  // '\x…'::bytea and the like, around a text
)

func newRowSizer(gen schema.QueryGen, table *schema.Table) *rowSizer {
	s := &rowSizer{gen: gen, fixed: len("), (")}
	for _, f := range table.Fields {
		switch size, kind := fieldSize(f); kind {
		case fixedSize:
			s.fixed += size + len(f.SQLDefault)
		case textSize:
			s.fixed += size + len(f.SQLDefault)
			s.texts = append(s.texts, f)
		default:
			s.fixed += len(", DEFAULT") + len(f.SQLDefault)
			s.rendered = append(s.rendered, f)
		}
	}
	return s
}

type sizeKind int

const (
	renderedSize sizeKind = iota
	fixedSize
	textSize
)

var (
	valuerType   = reflect.TypeFor[driver.Valuer]()
	appenderType = reflect.TypeFor[schema.QueryAppender]()
	timeType     = reflect.TypeFor[time.Time]()
)

// fieldSize tells how the size of a field's value is found, and what of it is the same for all.
func fieldSize(f *schema.Field) (int, sizeKind) {
	typ := f.IndirectType
	switch {
	case f.Tag.HasOption("msgpack"), strings.HasPrefix(strings.ToUpper(f.UserSQLType), "JSON"):
		return 0, renderedSize // the tag chooses the encoding
	case typ == timeType:
		return timeSize, fixedSize
	case encodesItself(typ):
		return 0, renderedSize
	}
	switch typ.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return numberSize, fixedSize
	case reflect.String:
		return quotesSize, textSize
	case reflect.Slice:
		if typ == reflect.TypeFor[[]byte]() {
			return quotesSize, textSize
		}
	}
	return 0, renderedSize
}

func encodesItself(typ reflect.Type) bool {
	ptr := reflect.PointerTo(typ)
	return ptr.Implements(valuerType) || ptr.Implements(appenderType)
}

// size bounds the bytes of a row, which is a struct.
func (s *rowSizer) size(row reflect.Value) int {
	n := s.fixed
	for _, f := range s.texts {
		if v, ok := fieldOf(row, f.Index); ok {
			if v = reflect.Indirect(v); v.IsValid() {
				n += 2 * v.Len()
			}
		}
	}
	for _, f := range s.rendered {
		s.scratch = f.AppendValue(s.gen, s.scratch[:0], row)
		n += len(s.scratch)
	}
	return n
}

// fieldOf is FieldByIndex for a struct with embedded pointers, which may be nil.
func fieldOf(v reflect.Value, index []int) (reflect.Value, bool) {
	for i, x := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, true
}
