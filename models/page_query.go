package models

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// Bun's select tells nobody what it has been given. Reading pages in spite of an order or a limit of its
// own would give wrong ones, so this file looks, by reflection, which reads unexported fields but changes none.

// part returns a field of the builder. If Bun's version has none of that name and kind, ok is false.
func part(q *bun.SelectQuery, name string, kind reflect.Kind) (v reflect.Value, ok bool) {
	v = reflect.ValueOf(q).Elem().FieldByName(name)
	return v, v.IsValid() && v.Kind() == kind
}

func unknownPart(name string) error {
	return &UnknownBunError{Type: reflect.TypeFor[bun.SelectQuery]().String(), Field: name}
}

// pageable reports what keeps a query from being read in pages. Those by keyset bring a condition of their own.
func pageable(q *bun.SelectQuery, byKeyset bool) error {
	for _, name := range []string{"limit", "offset"} {
		v, ok := part(q, name, reflect.Int64)
		switch {
		case !ok:
			return unknownPart(name)
		case v.Int() != 0:
			return fmt.Errorf("the query has a %s of its own", name)
		}
	}
	refused := []string{"order"}
	if byKeyset {
		refused = []string{"order", "group", "distinctOn", "union"}
	}
	for _, name := range refused {
		v, ok := part(q, name, reflect.Slice)
		switch {
		case !ok:
			return unknownPart(name)
		case !v.IsNil():
			return fmt.Errorf("the query has its own %s", partNames[name])
		}
	}
	if !byKeyset {
		return nil
	}
	if _, ok := part(q, "columns", reflect.Slice); !ok {
		return unknownPart("columns")
	}
	return noAlternatives(q)
}

var partNames = map[string]string{"order": "order", "group": "grouping", "distinctOn": "DISTINCT", "union": "union"}

// noAlternatives makes sure that a further condition limits all those of the query: in SQL,
// a OR b AND c is a OR (b AND c).
func noAlternatives(q *bun.SelectQuery) error {
	where, ok := part(q, "where", reflect.Slice)
	if !ok {
		return unknownPart("where")
	}
	depth := 0
	for i := range where.Len() {
		field := where.Index(i).FieldByName("Sep")
		if !field.IsValid() {
			return unknownPart("where")
		}
		switch sep := strings.ToUpper(field.String()); {
		case sep == "(": // Bun's groups are in the separators
			depth++
		case sep == ")":
			depth--
		case i > 0 && depth == 0 && strings.Contains(sep, "OR"):
			return errors.New("the query has WhereOr outside a group: put its conditions into a WhereGroup or a models.Or")
		}
	}
	return nil
}

// tableText returns what the query reads from in the place of its model's table, or that table, as Bun writes it into SQL.
func tableText(q *bun.SelectQuery) (string, error) {
	v, ok := part(q, "modelTableName", reflect.Struct)
	if !ok || v.Type() != reflect.TypeFor[schema.QueryWithArgs]() {
		return "", unknownPart("modelTableName")
	}
	given := (*schema.QueryWithArgs)(v.Addr().UnsafePointer())
	gen := q.DB().QueryGen().WithArg(q)
	if given.IsZero() {
		return gen.FormatQuery(string(q.GetModel().(bun.TableModel).Table().SQLNameForSelects)), nil // which may have named arguments
	}
	text, err := given.AppendQuery(gen, nil)
	if err != nil || given.Query != "" {
		return string(text), err
	}
	v, ok = part(q, "tables", reflect.Slice) // ModelTableExpr(""): these alone
	if !ok || v.Type() != reflect.TypeFor[[]schema.QueryWithArgs]() {
		return "", unknownPart("tables")
	}
	for _, table := range *(*[]schema.QueryWithArgs)(v.Addr().UnsafePointer()) {
		if text, err = table.AppendQuery(gen, append(text, ", "...)); err != nil {
			return "", err
		}
	}
	return string(text), nil
}

// hasColumns reports whether a pageable query reads chosen columns, not all.
func hasColumns(q *bun.SelectQuery) bool {
	v, ok := part(q, "columns", reflect.Slice)
	return ok && !v.IsNil()
}

// A joinedColumn is a column of the model's that a relation to many rows joins by. They are read by a query of their own, which
// takes the values out of the rows that came before.
type joinedColumn struct{ relation, column string }

// joinedBy returns the columns that the relations of a query need.
func joinedBy(q *bun.SelectQuery) ([]joinedColumn, error) {
	model := reflect.Indirect(reflect.ValueOf(q.GetModel()))
	joins := model.FieldByName("joins")
	if !joins.IsValid() || joins.Kind() != reflect.Slice {
		return nil, &UnknownBunError{Type: model.Type().String(), Field: "joins"}
	}
	var columns []joinedColumn
	for i := range joins.Len() {
		relation := joins.Index(i).FieldByName("Relation")
		if !relation.IsValid() || relation.Type() != reflect.TypeFor[*schema.Relation]() {
			return nil, &UnknownBunError{Type: joins.Type().Elem().String(), Field: "Relation"}
		}
		rel := (*schema.Relation)(relation.UnsafePointer())
		if rel.Type != schema.HasManyRelation && rel.Type != schema.ManyToManyRelation {
			continue
		}
		for _, key := range rel.BasePKs {
			columns = append(columns, joinedColumn{rel.Field.GoName, key.Name})
		}
	}
	return columns, nil
}
