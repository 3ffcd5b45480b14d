package models

import (
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// TopN returns the query for the first n rows of each group: of each customer, the three latest
// orders.
//
//	q := db.NewSelect().Model(&orders).Where("state = 'paid'")
//	err := models.TopN(db, q, 3, []string{"customer_id"}, "created_at DESC").Scan(ctx)
//
// The rows are those of q, which has a model and conditions but neither columns, order nor limit of
// its own. Groups have the same values in all columns of group, NULLs forming one. The order is
// columns, each with ASC or DESC; rows that it leaves equal are ordered by primary key. The result
// comes by group, then in that order; columns, relations and a limit can be added to the query that
// is returned. It runs on db, as q does.
//
// Names must be columns of the model, else the query fails with an [*UnknownColumnError].
//
// It ranks all rows of q by ROW_NUMBER(): MySQL since 8.0, MariaDB since 10.2. Where the groups are
// known and few, and an index has group and order, [TopNOf] reads less.
func TopN(db bun.IDB, q *bun.SelectQuery, n int, group []string, order ...string) *bun.SelectQuery {
	top, err := newTop(db, q, n, group, order)
	if err != nil {
		return db.NewSelect().Err(err)
	}
	return top.rank(db, q)
}

// TopNOf is [TopN] for the groups that another query has, whose columns are named like those of
// group:
//
//	customers := db.NewSelect().Model((*Customer)(nil)).ColumnExpr("id AS customer_id").Where("vip")
//	q := models.TopNOf(db, customers, db.NewSelect().Model(&orders), 3, []string{"customer_id"}, "created_at DESC")
//
// A NULL is no group here. On PostgreSQL it looks each group up by LATERAL: with an index on group and order that reads n
// rows a group, where TopN reads them all; without one it reads all rows for each group. The others
// rank the rows of these groups as TopN does: SQLite has no LATERAL, MariaDB neither before 11.8,
// and Bun cannot tell MySQL 8.0.14, which has it, from older ones.
func TopNOf(db bun.IDB, groups, q *bun.SelectQuery, n int, group []string, order ...string) *bun.SelectQuery {
	top, err := newTop(db, q, n, group, order)
	if err != nil {
		return db.NewSelect().Err(err)
	}
	if err := checkQuery(db, db.NewSelect().TableExpr("(?) AS groups", groups)); err != nil {
		return db.NewSelect().Err(fmt.Errorf("models: groups of top n of %v: %w", top.table.Type, err))
	}
	if db.Dialect().Name() == dialect.PG {
		return top.lateral(db, groups, q)
	}
	within := top.from(db, q).ColumnExpr("?TableAlias.*").
		Where("(?) IN (SELECT ? FROM (?) AS "+groupsAlias+")", top.group, top.group.of(groupsAlias), groups)
	return top.rank(db, within)
}

// Names of ours in the statements.
const (
	rankColumn  = "bindery_rank"
	groupsAlias = "bindery_groups"
)

// top is a query for the first rows of each group.
type top struct {
	model any
	table *schema.Table
	n     int
	group topColumns
	order []topOrder // ends with the primary key
}

func newTop(db bun.IDB, q *bun.SelectQuery, n int, group, order []string) (*top, error) {
	tm, ok := q.GetModel().(bun.TableModel)
	if !ok {
		return nil, errors.New("models: top n: the query has no model")
	}
	t := &top{model: q.GetModel().Value(), table: tm.Table(), n: n}
	if err := checkQuery(db, q); err != nil {
		return nil, fmt.Errorf("models: top n of %v: %w", t.table.Type, err)
	}
	if n < 1 {
		return nil, fmt.Errorf("models: top n of %v: n is %d, not 1 or more", t.table.Type, n)
	}
	if len(group) == 0 {
		return nil, fmt.Errorf("models: top n of %v: no column to group by", t.table.Type)
	}
	for _, name := range group {
		if err := checkColumn(t.table, name); err != nil {
			return nil, err
		}
		t.group = append(t.group, topColumn{alias: t.table.Alias, name: name})
	}
	for _, text := range order {
		o, err := t.parse(text)
		if err != nil {
			return nil, err
		}
		t.order = append(t.order, o)
	}
	for _, pk := range t.table.PKs {
		t.order = append(t.order, topOrder{topColumn{t.table.Alias, pk.Name}, ""})
	}
	if len(t.order) == 0 {
		return nil, fmt.Errorf("models: top n of %v: neither an order nor a primary key", t.table.Type)
	}
	return t, nil
}

// parse reads "name", "name ASC" or "name DESC".
func (t *top) parse(text string) (topOrder, error) {
	name, direction, _ := strings.Cut(strings.TrimSpace(text), " ")
	direction = strings.ToUpper(strings.TrimSpace(direction))
	if err := checkColumn(t.table, name); err != nil {
		return topOrder{}, err
	}
	if direction != "" && direction != "ASC" && direction != "DESC" {
		return topOrder{}, fmt.Errorf("models: top n of %v: order by %q: the direction is ASC or DESC", t.table.Type, name)
	}
	return topOrder{topColumn{t.table.Alias, name}, direction}, nil
}

// from starts a query on the rows of another one, under the model's own alias.
func (t *top) from(db bun.IDB, rows *bun.SelectQuery) *bun.SelectQuery {
	q := db.NewSelect().Model(t.model).ModelTableExpr("(?) AS ?TableAlias", rows)
	if t.table.SoftDeleteField != nil {
		q = q.WhereAllWithDeleted() // rows has chosen
	}
	return q
}

// rank numbers the rows of each group and takes the first.
func (t *top) rank(db bun.IDB, rows *bun.SelectQuery) *bun.SelectQuery {
	ranked := t.from(db, rows).ColumnExpr("?TableAlias.*").
		ColumnExpr("ROW_NUMBER() OVER (PARTITION BY ? ORDER BY ?) AS "+rankColumn, t.group, topOrders(t.order))
	return t.from(db, ranked).Where("?TableAlias."+rankColumn+" <= ?", t.n).
		OrderExpr("?", t.group).OrderExpr("?TableAlias." + rankColumn)
}

// lateral looks the rows of each group up. The conditions of rows stay together in a query of their
// own, which PostgreSQL merges into this one, so that its index serves.
func (t *top) lateral(db bun.IDB, groups, rows *bun.SelectQuery) *bun.SelectQuery {
	first := t.from(db, rows).ColumnExpr("?TableAlias.*").
		Where("(?) = (?)", t.group, t.group.of(groupsAlias)).
		OrderExpr("?", topOrders(t.order)).Limit(int64(t.n))
	q := db.NewSelect().Model(t.model).
		ModelTableExpr("(SELECT DISTINCT ? FROM (?) AS "+groupsAlias+") AS "+groupsAlias+" CROSS JOIN LATERAL (?) AS ?TableAlias",
			t.group.of(groupsAlias), groups, first)
	if t.table.SoftDeleteField != nil {
		q = q.WhereAllWithDeleted()
	}
	return q.OrderExpr("?", t.group).OrderExpr("?", topOrders(t.order))
}

// A topColumn is a name with its table's alias.
type topColumn struct{ alias, name string }

func (c topColumn) append(gen schema.QueryGen, b []byte) []byte {
	return gen.AppendName(append(gen.AppendName(b, c.alias), '.'), c.name)
}

type topColumns []topColumn

// AppendQuery writes the columns, separated by commas.
func (list topColumns) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	for i, c := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = c.append(gen, b)
	}
	return b, nil
}

// of is the same columns of another table.
func (list topColumns) of(alias string) topColumns {
	others := make(topColumns, len(list))
	for i, c := range list {
		others[i] = topColumn{alias, c.name}
	}
	return others
}

// A topOrder is a column and "", "ASC" or "DESC".
type topOrder struct {
	topColumn
	direction string
}

type topOrders []topOrder

// AppendQuery writes what follows ORDER BY.
func (list topOrders) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	for i, o := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		if b = o.append(gen, b); o.direction != "" {
			b = append(append(b, ' '), o.direction...)
		}
	}
	return b, nil
}
