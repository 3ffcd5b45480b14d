package models

// Eq holds where the column has the value: a whole day, if that is a date string without a time. With
// nil it is [IsNull].
func Eq(column string, value any) Condition { return comparison(column, opEq, value) }

// Ne holds where the column has another value. With nil it is [NotNull].
func Ne(column string, value any) Condition { return comparison(column, opNe, value) }

// Lt holds where the column is less than the value, or before it.
func Lt(column string, value any) Condition { return comparison(column, opLt, value) }

// Le holds where the column is at most the value. A day counts to its end.
func Le(column string, value any) Condition { return comparison(column, opLe, value) }

// Gt holds where the column is greater than the value, or after it: after the end of a day.
func Gt(column string, value any) Condition { return comparison(column, opGt, value) }

// Ge holds where the column is at least the value.
func Ge(column string, value any) Condition { return comparison(column, opGe, value) }

// In holds where the column has one of the values: nowhere, if there are none. A single argument that is a
// slice, but no slice of bytes and no value of the column, has the values in it, and one that is
// a *bun.SelectQuery selects them. A nil among them stands for NULL.
func In(column string, values ...any) Condition {
	return on(column, func(r *renderer, c *filterColumn) (clause, error) {
		return r.in(c, c.listed(values))
	})
}

// NotIn holds where the column has none of the values: everywhere, if there are none, and otherwise
// only where it is not NULL. The values are as for [In].
func NotIn(column string, values ...any) Condition {
	return on(column, func(r *renderer, c *filterColumn) (clause, error) {
		return r.notIn(c, c.listed(values))
	})
}

// Between holds where the column is at least from and at most to. An end that is nil, a nil pointer or a
// zero time.Time is open, as is "" on a column of numbers or times. If to is a date string without a
// time, its whole day is included. Use [Ge] and [Lt] for an end that is excluded.
//
// With both ends open it holds everywhere.
func Between(column string, from, to any) Condition {
	return on(column, func(r *renderer, c *filterColumn) (clause, error) {
		return r.between(c, Range{From: from, To: to})
	})
}

// Range is a value for [Filter] that means [Between]. The zero Range is open at both ends.
type Range struct{ From, To any }

// IsNull holds where the column is NULL.
func IsNull(column string) Condition {
	return on(column, func(_ *renderer, c *filterColumn) (clause, error) { return c.is("NULL"), nil })
}

// NotNull holds where the column is not NULL.
func NotNull(column string) Condition {
	return on(column, func(_ *renderer, c *filterColumn) (clause, error) { return c.is("NOT NULL"), nil })
}

// on is a condition on one column.
func on(column string, write func(*renderer, *filterColumn) (clause, error)) Condition {
	return Condition{onColumn{column: column, write: write}}
}

type onColumn struct {
	column string
	write  func(*renderer, *filterColumn) (clause, error)
}

func (o onColumn) render(r *renderer) (clause, error) {
	col, err := r.column(o.column)
	if err != nil {
		return noRow, err
	}
	return col.condition(func() (clause, error) { return o.write(r, col) })
}

func comparison(column string, op operator, value any) Condition {
	return on(column, func(r *renderer, c *filterColumn) (clause, error) { return r.compare(c, op, value) })
}

// listed returns the values that the arguments of In are.
func (c *filterColumn) listed(values []any) []any {
	if len(values) == 1 {
		if list, ok := c.asList(values[0]); ok {
			return list
		}
	}
	return values
}
