package models

import (
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// Latest returns the query for the row of each group with the highest value in a column: of each
// sensor, the last reading. Of several, the one with the highest primary key. Everything else is as
// [TopN] has it.
//
//	q := models.Latest(db, db.NewSelect().Model(&readings), []string{"sensor_id"}, "taken_at")
//
// A NULL is no value: such a row comes only where its group has no other. It ranks the rows on
// PostgreSQL too, where DISTINCT ON took half as long again. Where the groups are known
// and few, [TopNOf] with 1 reads less there.
func Latest(db bun.IDB, q *bun.SelectQuery, group []string, by string) *bun.SelectQuery {
	top, err := newTop(db, q, 1, group, nil)
	if err == nil {
		err = checkColumn(top.table, by)
	}
	if err != nil {
		return db.NewSelect().Err(err)
	}
	// NULLs come last in descending order everywhere but on PostgreSQL, where one says so.
	nullsLast := ""
	if db.Dialect().Name() == dialect.PG {
		nullsLast = " NULLS LAST"
	}
	order := []topOrder{{topColumn{top.table.Alias, by}, "DESC" + nullsLast}}
	for _, o := range top.order {
		order = append(order, topOrder{o.topColumn, "DESC"})
	}
	top.order = order
	return top.rank(db, q)
}
