package mysqlbind

import (
	"database/sql/driver"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/schema"
)

// tableDialect completes the tables of models. It has the features of every version, so that no
// server is asked for while a table is made.
type tableDialect struct {
	*mysqldialect.Dialect
	whole *Dialect
}

// Tables returns those of the whole: a relation's other tables are looked up there.
func (d tableDialect) Tables() *schema.Tables { return d.whole.tables }

func (d tableDialect) OnTable(t *schema.Table) {
	d.Dialect.OnTable(t)
	for _, f := range t.FieldMap {
		keepFraction(f)
		keepFloat(f)
	}
}

// keepFraction gives a time its microseconds.
func keepFraction(f *schema.Field) {
	if f.DiscoveredSQLType != "DATETIME" || f.UserSQLType != "" {
		return
	}
	f.DiscoveredSQLType = "DATETIME(6)"
	switch strings.ToLower(f.SQLDefault) {
	case "current_timestamp", "current_timestamp()", "now()":
		f.SQLDefault = "CURRENT_TIMESTAMP(6)"
	}
}

var (
	valuer   = reflect.TypeFor[driver.Valuer]()
	appender = reflect.TypeFor[schema.QueryAppender]()
)

// keepFloat has the field's numbers written so that the server reads a DOUBLE, not a DECIMAL, where
// a DECIMAL would lose them.
func keepFloat(f *schema.Field) {
	kind := f.IndirectType.Kind()
	isFloat := kind == reflect.Float32 || kind == reflect.Float64
	pointer := reflect.PointerTo(f.IndirectType)
	if !isFloat || f.Tag.HasOption("msgpack") || pointer.Implements(valuer) || pointer.Implements(appender) {
		return
	}
	switch f.StructField.Type {
	case f.IndirectType:
		f.Append = appendFloat
	case pointer:
		f.Append = schema.PtrAppender(appendFloat)
	}
}

func appendFloat(_ schema.QueryGen, b []byte, v reflect.Value) []byte {
	n, bits := v.Float(), v.Type().Bits()
	if n < 0 && len(b) > 0 && b[len(b)-1] == '-' {
		b = append(b, ' ') // two dashes begin a comment
	}
	abs := math.Abs(n)
	switch {
	case abs != 0 && abs < 1e-6, abs >= 1e21 && !math.IsInf(n, 0):
		return strconv.AppendFloat(b, n, 'e', -1, bits)
	case bits == 32:
		return dialect.AppendFloat32(b, float32(n))
	}
	return dialect.AppendFloat64(b, n)
}
