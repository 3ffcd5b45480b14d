package models

import (
	"database/sql"
	"errors"
	"reflect"

	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/panicked"
)

// PanicError reports a panic in a method of a program's own that reads or writes a column: Scan, Value, GobDecode, UnmarshalJSON and the
// like. The query fails with it, and its connection goes back to the pool. Where it is not recovered, database/sql keeps the rows locked:
// the goroutine never ends, and the pool has a connection less for good.
//
// Recovered is what is read into the fields of models, on a manager's binds, on a dialect of [WithFieldTypes] or after [Register]; what is
// read into the types of this package, wherever that is; what [Filter] and [FromMap] call; and, in a manager's pools other than Native, the
// Value methods of arguments. What a query reads into a variable of another type, by Bun's Scan(ctx, &v) or by database/sql's, is not: see
// [Recovered]. A panic of a hook, a signal or the function of a transaction goes on to the caller, as database/sql and net/http have it, and
// the transaction in whose function it was is rolled back.
//
// Let the AfterQuery of a [bun.QueryHook] recover from its own panics: Bun calls it before it gives what was begun to the caller, who
// then cannot end it. After a panic there, the rows of DB.QueryContext, DB.QueryRowContext or a query's Rows, and the transaction of BeginTx or
// RunInTx, keep their connection, and what the transaction has locked, until the context of the call ends: the request's, say. With
// [context.Background] that is never.
//
// It names types, the column and the place of the panic. The panic's value is not kept: it may hold what was read.
type PanicError = panicked.Error

// Recovered reads a column into dest, a pointer, and makes a [*PanicError] of a panic in its Scan method, where no model does so:
//
//	err := rows.Scan(&id, models.Recovered(&point))
//	err := db.NewSelect().Table("places").Column("point").Scan(ctx, models.Recovered(&point))
//
// A dest that is no [sql.Scanner] is read as Bun reads a field of its type.
func Recovered(dest any) sql.Scanner { return recoveredScan{dest} }

type recoveredScan struct{ dest any }

func (r recoveredScan) Scan(src any) (err error) {
	typ := reflect.TypeOf(r.dest)
	defer panicked.Catch(&err, "Scan", typ)
	if s, ok := r.dest.(sql.Scanner); ok {
		return s.Scan(src)
	}
	dest := reflect.ValueOf(r.dest)
	if typ == nil || typ.Kind() != reflect.Pointer || dest.IsNil() {
		return &ModelError{Call: "Recovered", Type: typ, Want: "a pointer, not nil"}
	}
	scan := schema.Scanner(typ.Elem())
	if scan == nil {
		return errMeaning
	}
	return scan(dest.Elem(), src)
}

// A scanGuard reads a field by code that may be a program's own.
type scanGuard struct {
	inner  schema.ScannerFunc
	typ    reflect.Type // the field's
	model  reflect.Type
	column string
}

func (g *scanGuard) scan(dest reflect.Value, src any) (err error) {
	defer g.place(&err)
	defer panicked.Catch(&err, "Scan", g.typ)
	return g.inner(dest, src)
}

// place says of a panic, here or in a type of this package, for which column it was.
func (g *scanGuard) place(err *error) {
	if *err == nil {
		return
	}
	if p := (*PanicError)(nil); errors.As(*err, &p) && p.Column == "" {
		p.Model, p.Column = g.model, g.column
	}
}

var guardedScan = reflect.ValueOf((&scanGuard{}).scan).Pointer()

// guardScans makes a table's fields recover from what panics while they are read, those of structs within it included.
func guardScans(t *schema.Table) { guardTable(t, map[*schema.Table]bool{}) }

func guardTable(t *schema.Table, seen map[*schema.Table]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	for _, f := range t.FieldMap {
		if f.Scan == nil || readsAlone(f) || reflect.ValueOf(f.Scan).Pointer() == guardedScan {
			continue
		}
		f.Scan = (&scanGuard{inner: f.Scan, typ: f.StructField.Type, model: t.Type, column: f.Name}).scan
	}
	for _, inner := range t.StructMap {
		guardTable(inner.Table, seen)
	}
}

// readsAlone reports whether Bun reads a field without a call of anything that is not its own.
func readsAlone(f *schema.Field) bool {
	typ := f.IndirectType
	switch {
	case scansItself(typ), reflect.ValueOf(f.Scan).Pointer() != reflect.ValueOf(schema.Scanner(f.StructField.Type)).Pointer():
		return false // a tag, such as msgpack or json_use_number, or a dialect has another way than the type's
	case typ == timeType, isByteSlice(typ):
		return true
	}
	kind := typ.Kind()
	return kind == reflect.String || reflect.Bool <= kind && kind <= reflect.Float64
}
