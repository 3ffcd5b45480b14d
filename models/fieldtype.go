package models

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/modelhome"
)

// A ColumnTyper is a field's type that knows its column's type. Types of your own may implement it,
// on the value or on the pointer; it is called on a zero value or a nil pointer to one.
//
// ColumnType returns the type for CREATE TABLE, such as "LONGTEXT", or "" to leave the choice to Bun.
type ColumnTyper interface {
	ColumnType(d dialect.Name) string
}

// registering orders the calls of Register, which write to Bun's schema.
var registering sync.Mutex

// Register gives the columns of models the types that their fields want on db's database: of every
// field whose type is a [ColumnTyper] and has no `bun:"type:…"` tag, which wins. Models related to them
// are included. A model is named as for Bun: (*User)(nil).
//
// Types that Bun knows only as arrays or structs get the column of what they write: a uuid.UUID is UUID on PostgreSQL,
// CHAR(36) on MySQL and MariaDB, which has UUID only since 10.7, and TEXT on SQLite; a [16]byte is BYTEA, BINARY(16) or
// BLOB; a sql.Null[time.Time] is what a time is. PostgreSQL has UUID[] for a slice of them with the tag `bun:",array"`.
//
// A manager does it by itself, on all its binds, as does a bun.DB whose dialect is one of [WithFieldTypes]; there Register only says
// what is wrong with these models themselves. For another bun.DB it is the one line of set-up that this package's field types need, since Bun asks a field's type for
// nothing: it would make every one of them VARCHAR(255) on MySQL, and all but [LongText] JSONB on
// PostgreSQL, even where it is binary or an enum. Values that do not fit such a column are an error of the server's, unless
// MySQL's strict mode is off: then it cuts them. Call it once for each bun.DB after opening it, before the models' first use:
// it changes the schema that the DB's queries read, and the scheme Bun has made of a join by then stays
// as it is. Calls of Register itself may overlap and repeat.
//
// Without it values still round trip through columns of the right type, made by a migration, say.
// They are slower by an allocation, a bulk update by CTE on PostgreSQL has the wrong casts, and
// nothing compares an [Encrypted] column's declaration with its place.
//
// An error is a program's mistake: a model that is no struct, a *[ColumnMismatchError], or an [Enum]
// without usable values. The other fields and models are registered nevertheless.
func Register(db bun.IDB, models ...any) error {
	registering.Lock()
	defer registering.Unlock()
	r := registry{dialect: db.Dialect(), seen: make(map[*schema.Table]bool)}
	for _, model := range models {
		r.model(model)
	}
	return errors.Join(r.errs...)
}

type registry struct {
	dialect schema.Dialect
	seen    map[*schema.Table]bool
	errs    []error
}

func (r *registry) model(model any) {
	typ := reflect.TypeOf(model)
	for typ != nil && (typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice) {
		typ = typ.Elem()
	}
	if typ == nil || typ.Kind() != reflect.Struct {
		r.errs = append(r.errs, fmt.Errorf("models: register %T: not a model: pass (*Model)(nil)", model))
		return
	}
	if err := modelhome.CheckModel(r.dialect, typ); err != nil {
		r.errs = append(r.errs, fmt.Errorf("models: register %v: %w", typ, err))
		return
	}
	r.table(r.dialect.Tables().Get(typ))
}

func (r *registry) table(t *schema.Table) {
	if r.seen[t] {
		return
	}
	r.seen[t] = true
	if typer, ok := r.dialect.(fieldTyper); ok {
		// It was set up when it was made, and others will be: Bun panics where a table is made before the link table it names.
		r.errs = append(r.errs, typer.FieldErrors(t))
		return
	}
	r.errs = append(r.errs, setUpTable(r.dialect.Name(), t)...)
	for _, rel := range t.Relations {
		for _, other := range []*schema.Table{rel.JoinTable, rel.M2MTable} {
			if other != nil {
				r.table(r.dialect.Tables().Get(other.Type))
			}
		}
	}
}

// An appendedField knows a way to write a model's field that does not copy it to the heap, as Bun's
// way does.
type appendedField interface {
	fieldAppender() schema.AppenderFunc
}

// A zeroField knows such a way to ask whether a field is zero, which Bun asks of each that it inserts.
type zeroField interface {
	fieldIsZero() schema.IsZeroerFunc
}

// A checkedField knows whether it may be the given column.
type checkedField interface {
	checkField(t *schema.Table, f *schema.Field) error
}

// setUpTable sets up the fields of a table, which nobody uses yet.
func setUpTable(d dialect.Name, t *schema.Table) (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(t.FieldMap)) {
		if err := setUp(d, t, t.FieldMap[name]); err != nil {
			errs = append(errs, fmt.Errorf("models: register %s.%s: %w", t.Name, name, err))
		}
	}
	guardScans(t)
	return errs
}

func setUp(d dialect.Name, t *schema.Table, f *schema.Field) error {
	for _, option := range []string{"msgpack", "hstore", "composite"} {
		if f.Tag.HasOption(option) {
			return nil // the field is written in a way of Bun's own
		}
	}
	if !implements[ColumnTyper](reflect.PointerTo(f.IndirectType)) {
		setUpValue(d, f)
	}
	if f.Tag.HasOption("array") {
		return nil
	}
	zero := reflect.New(f.IndirectType).Interface()
	if typer, ok := zero.(ColumnTyper); ok && !f.Tag.HasOption("type") {
		if typ := typer.ColumnType(d); typ != "" {
			// All three, as if the type were in the tag: the second casts the values of a bulk update.
			f.DiscoveredSQLType, f.UserSQLType, f.CreateTableSQLType = typ, typ, typ
		}
	}
	if a, ok := zero.(appendedField); ok && !f.IsPtr {
		f.Append = a.fieldAppender()
	}
	if z, ok := zero.(zeroField); ok && !f.IsPtr {
		f.IsZero = z.fieldIsZero()
	}
	if c, ok := zero.(checkedField); ok {
		return c.checkField(t, f)
	}
	return nil
}

// inPlace makes an appender that writes a field where it is.
func inPlace[T any](write func(v *T, gen schema.QueryGen, b []byte) ([]byte, error)) schema.AppenderFunc {
	return func(gen schema.QueryGen, b []byte, v reflect.Value) []byte {
		out, err := write(pointerTo[T](v), gen, b)
		if err != nil {
			return dialect.AppendError(b, err)
		}
		return out
	}
}

// zeroInPlace makes a check of a field where it is.
func zeroInPlace[T any](isZero func(*T) bool) schema.IsZeroerFunc {
	return func(v reflect.Value) bool { return isZero(pointerTo[T](v)) }
}

// pointerTo returns a pointer to v, or to a copy if v has no address.
func pointerTo[T any](v reflect.Value) *T {
	if !v.CanAddr() {
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		v = copied
	}
	return v.Addr().Interface().(*T)
}

// columnBytes returns what a driver gave for a text or binary column. It is the driver's: not to be
// changed, and not to be kept.
func columnBytes(src any) ([]byte, bool) {
	switch src := src.(type) {
	case []byte:
		return src, true
	case string:
		return unsafe.Slice(unsafe.StringData(src), len(src)), true
	}
	return nil, false
}
