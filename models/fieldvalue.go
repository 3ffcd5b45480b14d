package models

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Bun takes the type of a column from the kind of the field's type. For arrays and structs that is nothing, BYTEA, VARCHAR or
// JSONB, whatever they are in SQL: a uuid.UUID has no type at all on MySQL and is BYTEA on PostgreSQL, where a uuid.NullUUID is
// JSONB, which holds none. What such a type writes says what its column is.

// namedTypes have a type of Bun's own, which is right.
var namedTypes = map[reflect.Type]bool{
	reflect.TypeFor[time.Time](): true, reflect.TypeFor[bun.NullTime](): true, reflect.TypeFor[sql.NullTime](): true,
	reflect.TypeFor[sql.NullBool](): true, reflect.TypeFor[sql.NullFloat64](): true, reflect.TypeFor[sql.NullInt64](): true,
	reflect.TypeFor[sql.NullString](): true,
}

// valueColumn returns the type of the column for a field of a Go type that Bun does not know, "" to leave it to Bun.
func valueColumn(d dialect.Name, typ reflect.Type) string {
	switch {
	case namedTypes[typ]:
		return ""
	case typ == reflect.TypeFor[netip.Addr]() && d == dialect.PG:
		return "INET"
	case typ == reflect.TypeFor[netip.Prefix]() && d == dialect.PG:
		return "VARCHAR" // CIDR refuses bits behind the mask, INET drops /32
	case typ.Kind() != reflect.Array && typ.Kind() != reflect.Struct:
		return ""
	case speaks(reflect.PointerTo(typ)):
		return spokenColumn(d, typ)
	case isByteArray(typ):
		return bytesColumn(d, typ.Len())
	case typ.Kind() == reflect.Array && !implements[schema.QueryAppender](reflect.PointerTo(typ)):
		return jsonColumn(d)
	}
	return ""
}

func isByteArray(typ reflect.Type) bool {
	return typ.Kind() == reflect.Array && typ.Elem().Kind() == reflect.Uint8
}

// spokenColumn returns the type of what a [driver.Valuer] gives.
func spokenColumn(d dialect.Name, typ reflect.Type) string {
	switch v := sampleValue(typ).(type) {
	case string:
		switch {
		case holdsUUID(typ) && uuidText.MatchString(v):
			return uuidColumn(d)
		case json.Valid([]byte(v)) && typ.Kind() == reflect.Struct:
			return "" // a document, or a number, which JSONB holds
		}
		return map[dialect.Name]string{dialect.PG: "VARCHAR", dialect.MySQL: "VARCHAR(255)", dialect.SQLite: "VARCHAR"}[d]
	case []byte:
		switch {
		case isByteArray(typ):
			return bytesColumn(d, len(v))
		case json.Valid(v):
			return ""
		}
		return bytesColumn(d, 0)
	case int64:
		return map[dialect.Name]string{dialect.PG: "BIGINT", dialect.MySQL: "BIGINT", dialect.SQLite: "INTEGER"}[d]
	case float64:
		return "DOUBLE PRECISION"
	case bool:
		return "BOOLEAN"
	case time.Time:
		return map[dialect.Name]string{dialect.PG: "TIMESTAMPTZ", dialect.MySQL: "DATETIME(6)", dialect.SQLite: "TIMESTAMP"}[d]
	}
	return ""
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// holdsUUID reports whether the type is 16 bytes, or a struct that has such.
func holdsUUID(typ reflect.Type) bool {
	if typ.Kind() != reflect.Struct {
		return isByteArray(typ) && typ.Len() == 16
	}
	for i := range typ.NumField() {
		if holdsUUID(typ.Field(i).Type) {
			return true
		}
	}
	return false
}

// uuidColumn is a UUID in the form in which everybody writes it. MySQL has no type for it; MariaDB has one since 10.7, which Bun's
// dialect, that is one for both and all versions, cannot know.
func uuidColumn(d dialect.Name) string {
	return map[dialect.Name]string{dialect.PG: "UUID", dialect.MySQL: "CHAR(36)", dialect.SQLite: "TEXT"}[d]
}

// bytesColumn is a column of so many bytes, 0 if they differ.
func bytesColumn(d dialect.Name, n int) string {
	switch {
	case d == dialect.MySQL && 0 < n && n <= 255:
		return fmt.Sprintf("BINARY(%d)", n)
	case d == dialect.MySQL && n == 0:
		return "VARBINARY(255)"
	}
	return binaryColumn(d)
}

// sampleValue returns what a type gives to a database: the zero value, or, of a type that can be NULL, the zero of what it
// holds otherwise. nil if it gives nothing.
func sampleValue(typ reflect.Type) (v any) {
	defer func() {
		if recover() != nil { // a type whose zero value is no value
			v = nil
		}
	}()
	sample := reflect.New(typ)
	if typ.Kind() == reflect.Struct {
		if valid := sample.Elem().FieldByName("Valid"); valid.IsValid() && valid.Kind() == reflect.Bool && valid.CanSet() {
			valid.SetBool(true)
		}
	}
	v = sample.Interface()
	for range 3 { // sql.Null gives what it holds, which may be a Valuer
		valuer, ok := v.(driver.Valuer)
		if !ok {
			return v
		}
		var err error
		if v, err = valuer.Value(); err != nil {
			return nil
		}
	}
	return v
}

// setUpValue gives a field the column of its type, and a way to be read where Bun has none.
func setUpValue(d dialect.Name, f *schema.Field) {
	typ := f.IndirectType
	column := valueColumn(d, typ)
	if f.Tag.HasOption("array") {
		column = ""
		if typ.Kind() == reflect.Slice && d == dialect.PG && valueColumn(d, indirect(typ.Elem())) == "UUID" {
			column = "UUID[]"
		}
	}
	if column != "" && !f.Tag.HasOption("type") {
		f.DiscoveredSQLType, f.UserSQLType, f.CreateTableSQLType = column, column, column
	}
	if typ.Kind() != reflect.Array || f.Scan != nil || f.Tag.HasOption("array") {
		return
	}
	f.Scan = scanJSONArray
	if isByteArray(typ) {
		f.Scan = scanByteArray
	}
	if f.IsPtr {
		f.Scan = schema.PtrScanner(f.Scan)
	}
}

func indirect(typ reflect.Type) reflect.Type {
	if typ.Kind() == reflect.Pointer {
		return typ.Elem()
	}
	return typ
}

// scanByteArray reads a column of as many bytes as the array has.
func scanByteArray(dest reflect.Value, src any) error {
	if src == nil {
		dest.SetZero()
		return nil
	}
	data, ok := columnBytes(src)
	if !ok || len(data) != dest.Len() {
		return &DecodeError{Type: dest.Type(), As: fmt.Sprintf("%d bytes", dest.Len()), Err: unexpected(src)}
	}
	reflect.Copy(dest, reflect.ValueOf(data))
	return nil
}

// scanJSONArray reads what Bun writes for an array.
func scanJSONArray(dest reflect.Value, src any) error {
	dest.SetZero()
	data, ok := columnBytes(src)
	switch {
	case src == nil:
		return nil
	case !ok:
		return &DecodeError{Type: dest.Type(), As: "a JSON array", Err: unexpected(src)}
	}
	if err := bunCodec.decode(data, dest.Addr().Interface()); err != nil {
		return &DecodeError{Type: dest.Type(), As: "a JSON array", Err: err}
	}
	return nil
}
