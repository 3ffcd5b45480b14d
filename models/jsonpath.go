package models

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// JSONText is the value at a path in a JSON column, as text: a string without its quotes, a number
// or boolean as JSON spells it (the database may write 1.50 as 1.5), an array or object as JSON.
// What is absent, and JSON's null, is NULL.
//
//	q.Where("? = ?", models.JSONText("data", "address", "lines", 0), "1 High St")
//
// A segment of the path is a string, the key of an object, or an int, the index from 0 in an array;
// anything else fails the query. Segments are data: they are quoted, whatever they hold. No segment
// is the whole document. The column is "name" or "alias.name", of type json or jsonb on PostgreSQL,
// JSON or text on the others.
func JSONText(column string, path ...any) Expr {
	return jsonSpelling("JSONText", column, path, spelling{
		dialect.PG:    "(?doc #>> '{}')",
		dialect.MySQL: "(CASE JSON_TYPE(?doc) WHEN 'NULL' THEN NULL ELSE JSON_UNQUOTE(?doc) END)",
		dialect.SQLite: "(CASE JSON_TYPE(?col, ?path) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' " +
			"WHEN 'real' THEN ?col -> ?path WHEN 'integer' THEN ?col -> ?path " + // a number's own digits
			"ELSE CAST(JSON_EXTRACT(?col, ?path) AS TEXT) END)",
	})
}

// JSONInt is the whole number at a path in a JSON column, as a BIGINT: see [JSONText] for the path.
// What is no number is NULL, and so is one with a fraction or out of range.
func JSONInt(column string, path ...any) Expr {
	return jsonSpelling("JSONInt", column, path, spelling{
		dialect.PG: "(CASE JSONB_TYPEOF(TO_JSONB(?doc)) WHEN 'number' THEN " +
			"CASE WHEN (?doc #>> '{}')::numeric = TRUNC((?doc #>> '{}')::numeric) " +
			"AND (?doc #>> '{}')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 " +
			"THEN (?doc #>> '{}')::numeric::bigint END END)",
		dialect.MySQL: "(CASE WHEN " + mysqlNumber + " THEN " +
			"CASE WHEN CAST(JSON_UNQUOTE(?doc) AS DECIMAL(65,30)) = CAST(JSON_UNQUOTE(?doc) AS DECIMAL(65,0)) " +
			"AND CAST(JSON_UNQUOTE(?doc) AS DECIMAL(65,0)) BETWEEN -9223372036854775808 AND 9223372036854775807 " +
			"THEN CAST(CAST(JSON_UNQUOTE(?doc) AS DECIMAL(65,0)) AS SIGNED) END END)",
		dialect.SQLite: "(CASE WHEN JSON_TYPE(?col, ?path) IN ('integer', 'real') " +
			"AND JSON_EXTRACT(?col, ?path) = CAST(JSON_EXTRACT(?col, ?path) AS INTEGER) " +
			"THEN CAST(JSON_EXTRACT(?col, ?path) AS INTEGER) END)",
	})
}

// JSONFloat is the number at a path in a JSON column, as a double: see [JSONText] for the path.
// What is no number is NULL.
func JSONFloat(column string, path ...any) Expr {
	return jsonSpelling("JSONFloat", column, path, spelling{
		dialect.PG: "(CASE JSONB_TYPEOF(TO_JSONB(?doc)) WHEN 'number' THEN (?doc #>> '{}')::double precision END)",
		// Adding 0e0 makes a double everywhere; MySQL before 8.0.17 has no CAST AS DOUBLE.
		dialect.MySQL: "(CASE WHEN " + mysqlNumber + " THEN JSON_UNQUOTE(?doc) + 0e0 END)",
		dialect.SQLite: "(CASE WHEN JSON_TYPE(?col, ?path) IN ('integer', 'real') " +
			"THEN CAST(JSON_EXTRACT(?col, ?path) AS REAL) END)",
	})
}

// JSONBool is the boolean at a path in a JSON column: see [JSONText] for the path. What is no
// boolean is NULL.
func JSONBool(column string, path ...any) Expr {
	return jsonSpelling("JSONBool", column, path, spelling{
		dialect.PG: "(CASE JSONB_TYPEOF(TO_JSONB(?doc)) WHEN 'boolean' THEN (?doc #>> '{}')::boolean END)",
		dialect.MySQL: "(CASE WHEN JSON_TYPE(?doc) = 'BOOLEAN' " +
			"THEN JSON_UNQUOTE(?doc) = 'true' END)",
		dialect.SQLite: "(CASE JSON_TYPE(?col, ?path) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END)",
	})
}

const mysqlNumber = "JSON_TYPE(?doc) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL')"

// jsonSpelling makes an expression of spellings in which ?col is the column, ?path the path as the
// database writes one, and ?doc what is found there.
func jsonSpelling(name, column string, path []any, s spelling) Expr {
	return func(gen schema.QueryGen, b []byte) ([]byte, error) {
		if err := checkPath(name, path); err != nil {
			return nil, err
		}
		col := Col(column)
		return s.expr(name, jsonArgs{"col": col, "path": jsonPath(path), "doc": jsonValue(col, path)})(gen, b)
	}
}

// jsonArgs are the arguments of a spelling by name.
type jsonArgs map[string]Expr

func (args jsonArgs) AppendNamedArg(gen schema.QueryGen, b []byte, name string) ([]byte, bool) {
	e, ok := args[name]
	if !ok {
		return b, false
	}
	// These expressions never fail: checkPath has seen the path.
	b, _ = e(gen, b)
	return b, true
}

func checkPath(name string, path []any) error {
	for _, segment := range path {
		switch s := segment.(type) {
		case string:
			continue
		case int:
			if s >= 0 {
				continue
			}
		}
		// Bun writes the error into the statement, so it must not hold what a user sends.
		return fmt.Errorf("models: %s: a path segment is of type %T or negative: want a string or an index from 0", name, segment)
	}
	return nil
}

// mysqlValue is what a column has at a path. MySQL and MariaDB take what is no array for an array of
// itself, which has it at index 0; for the others it has no index.
func mysqlValue(gen schema.QueryGen, b []byte, col Expr, path []any) []byte {
	var arrays []Expr
	for i, segment := range path {
		if segment == 0 {
			arrays = append(arrays, jsonPath(path[:i]))
		}
	}
	if len(arrays) == 0 {
		return gen.AppendQuery(b, "JSON_EXTRACT(?, ?)", col, jsonPath(path))
	}
	b = append(b, "(CASE WHEN "...)
	for i, array := range arrays {
		if i > 0 {
			b = append(b, " AND "...)
		}
		b = gen.AppendQuery(b, "JSON_TYPE(JSON_EXTRACT(?, ?)) = 'ARRAY'", col, array)
	}
	return gen.AppendQuery(b, " THEN JSON_EXTRACT(?, ?) END)", col, jsonPath(path))
}

// jsonPath is a path as MySQL and SQLite write it: $."key"[0], as a string literal.
func jsonPath(path []any) Expr {
	return func(gen schema.QueryGen, b []byte) ([]byte, error) {
		text := []byte{'$'}
		for _, segment := range path {
			switch s := segment.(type) {
			case int:
				text = append(strconv.AppendInt(append(text, '['), int64(s), 10), ']')
			case string:
				text = append(text, `."`...)
				text = append(text, pathEscapes.Replace(s)...)
				text = append(text, '"')
			}
		}
		return gen.Dialect().AppendString(b, string(text)), nil
	}
}

var pathEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// jsonValue is what a column has at a path. PostgreSQL tells keys and indexes apart by type.
func jsonValue(col Expr, path []any) Expr {
	return func(gen schema.QueryGen, b []byte) ([]byte, error) {
		switch gen.Dialect().Name() {
		case dialect.PG:
		case dialect.MySQL:
			return mysqlValue(gen, b, col, path), nil
		default:
			return gen.AppendQuery(b, "JSON_EXTRACT(?, ?)", col, jsonPath(path)), nil
		}
		b, _ = col(gen, append(b, '('))
		for _, segment := range path {
			b = gen.Append(append(b, " -> "...), segment)
		}
		return append(b, ')'), nil
	}
}
