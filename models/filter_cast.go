package models

import (
	"reflect"
	"strings"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// A cast is what both sides of a comparison need where the database does not compare the column with a
// literal. Its zero value is no cast.
type cast struct{ before, after string }

var (
	// MySQL takes a text for a JSON string, which equals no object. MariaDB, where JSON is text, writes
	// both sides with the same blanks.
	castJSON = cast{"JSON_EXTRACT(", ", '$')"}
	// MySQL has no = for vectors (error 1210).
	castVector = cast{"CAST(", " AS BINARY)"}
)

func castOn(d dialect.Name, f *schema.Field) cast {
	if d != dialect.MySQL {
		return cast{}
	}
	switch typ := strings.ToUpper(columnType(d, f)); {
	case typ == "JSON":
		return castJSON
	case strings.HasPrefix(typ, "VECTOR"):
		return castVector
	}
	return cast{}
}

func (c cast) of(sql string) string { return c.before + sql + c.after }

// columnType returns the type that a field's column has, if it was made by its model.
func columnType(d dialect.Name, f *schema.Field) string {
	if f.UserSQLType != "" {
		return f.UserSQLType
	}
	if typer, ok := reflect.New(f.IndirectType).Interface().(ColumnTyper); ok {
		if typ := typer.ColumnType(d); typ != "" {
			return typ
		}
	}
	return f.DiscoveredSQLType
}
