package models

import (
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/schema"
)

// A renderer writes conditions and orders for one query.
type renderer struct {
	gen       schema.QueryGen
	dialect   dialect.Name
	table     *schema.Table
	qualifier string // what stands before the model's columns, with the dot; "" for nothing
	joins     bool   // whether the query can have relations
	zone      *time.Location

	parts []schema.QueryAppender // that were written as they write themselves
}

// newRenderer looks at a query, whose model must be set.
func newRenderer(query any) (*renderer, error) {
	r := &renderer{zone: time.UTC}
	var err error
	switch q := query.(type) {
	case *bun.SelectQuery:
		r.joins = true
		err = r.on(q, q.DB())
		r.qualify(r.table, true)
	case *bun.UpdateQuery:
		err = r.on(q, q.DB())
		r.qualify(r.table, q.DB().HasFeature(feature.UpdateMultiTable|feature.UpdateTableAlias))
	case *bun.DeleteQuery:
		err = r.on(q, q.DB())
		if q.DB().HasFeature(feature.DeleteTableAlias) {
			r.qualify(r.table, true)
		} // else Bun gives an alias to a soft delete only: both know the bare names
	default:
		err = &ModelError{Call: "Where", Type: reflect.TypeOf(query), Want: "a select, update or delete"}
	}
	return r, err
}

func (r *renderer) on(q bun.Query, db *bun.DB) error {
	model, ok := q.GetModel().(bun.TableModel)
	if !ok {
		return &ModelError{Call: "Where", Type: reflect.TypeOf(q), Want: "a query whose model, a struct or a slice of structs, is set before"}
	}
	r.table, r.gen, r.dialect = model.Table(), db.QueryGen(), db.Dialect().Name()
	if name := q.GetTableName(); name != r.table.Name {
		return &ModelError{Call: "Where", Type: r.table.Type, Want: "no part in the function of a has-one or belongs-to relation: name its columns in the outer query, as in \"Author.name\""}
	}
	return nil
}

func (r *renderer) qualify(t *schema.Table, alias bool) {
	switch {
	case t == nil:
	case alias:
		r.qualifier = string(t.SQLAlias) + "."
	default:
		r.qualifier = string(t.SQLName) + "."
	}
}

// names returns the model's columns.
func (r *renderer) names() []string {
	names := make([]string, len(r.table.Fields))
	for i, f := range r.table.Fields {
		names[i] = f.Name
	}
	return names
}

func (r *renderer) unknown(name string, known []string) error {
	return &FilterError{Model: r.table.Type, Column: name,
		Err: &UnknownColumnError{Model: r.table.Type, Column: name, Columns: known}}
}

// column finds a column by its name, which may have relations before it.
func (r *renderer) column(name string) (*filterColumn, error) {
	if field := ownColumn(r.table, name); field != nil {
		return newFilterColumn(r.dialect, r.table, field, name, r.qualifier), nil
	}
	path := strings.Split(name, ".")
	if len(path) == 1 {
		return nil, r.unknown(name, r.names())
	}
	if !r.joins {
		return nil, &FilterError{Model: r.table.Type, Column: name, Err: errRelationUnjoined}
	}
	table, alias := r.table, ""
	for _, step := range path[:len(path)-1] {
		rel := table.Relations[step]
		if rel == nil {
			return nil, r.unknown(name, r.names())
		}
		if rel.Type != schema.HasOneRelation && rel.Type != schema.BelongsToRelation {
			return nil, &FilterError{Model: r.table.Type, Column: name, Err: errRelationMany}
		}
		if alias != "" {
			alias += "__"
		}
		table, alias = rel.JoinTable, alias+rel.Field.Name
	}
	field := ownColumn(table, path[len(path)-1])
	if field == nil {
		joined := &renderer{table: table}
		return nil, joined.unknown(path[len(path)-1], joined.names())
	}
	qualifier := string(r.gen.AppendName(nil, alias)) + "."
	return newFilterColumn(r.dialect, table, field, name, qualifier), nil
}

// ownColumn finds a column of the table itself: no expression that is only read into the model.
func ownColumn(t *schema.Table, name string) *schema.Field {
	f := t.FieldMap[name]
	if f == nil || f.Name != name || f.Tag.HasOption("scanonly") {
		return nil
	}
	return f
}
