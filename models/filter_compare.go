package models

import (
	"strings"

	"github.com/uptrace/bun"
)

// An operator compares a column with a value.
type operator string

const (
	opEq operator = "="
	opNe operator = "<>"
	opLt operator = "<"
	opLe operator = "<="
	opGt operator = ">"
	opGe operator = ">="
)

func (c *filterColumn) op(op operator, literal string) clause {
	return clause(c.sql + " " + string(op) + " " + literal)
}

func (c *filterColumn) is(what string) clause { return clause(c.sql + " IS " + what) }

func (r *renderer) compare(c *filterColumn, op operator, v any) (clause, error) {
	if _, ok := c.asList(v); ok {
		return noRow, errList
	}
	o, err := r.operand(c, v)
	switch {
	case err != nil:
		return noRow, err
	case o.null && op == opEq:
		return c.is("NULL"), nil
	case o.null && op == opNe:
		return c.is("NOT NULL"), nil
	case o.null:
		return noRow, errNull
	}
	return c.compareAlone(op, o), nil
}

// inList reports whether the value can be one of a list in parentheses. Days and spans are ranges, and MySQL says that it
// cannot compare JSON there.
func (c *filterColumn) inList(o operand) bool {
	return o.end == "" && (o.span == nil || o.span.orderOnly) && c.cast == cast{}
}

func (c *filterColumn) compareAlone(op operator, o operand) clause {
	if o.end != "" {
		return c.compareDay(op, o)
	}
	if o.span != nil && (!o.span.orderOnly || op != opEq && op != opNe) {
		return c.compareSpan(op, o.span)
	}
	return clause(c.cast.of(c.sql) + " " + string(op) + " " + c.cast.of(o.sql))
}

// compareDay compares with a day as a whole.
func (c *filterColumn) compareDay(op operator, day operand) clause {
	switch op {
	case opEq:
		return join(" AND ", []clause{c.op(opGe, day.sql), c.op(opLt, day.end)})
	case opNe:
		return join(" OR ", []clause{c.op(opLt, day.sql), c.op(opGe, day.end)})
	case opLe:
		return c.op(opLt, day.end)
	case opGt:
		return c.op(opGe, day.end)
	}
	return c.op(op, day.sql)
}

func (r *renderer) between(c *filterColumn, ends Range) (clause, error) {
	from, to := everyRow, everyRow
	var err error
	if !c.isOpen(ends.From) {
		if from, err = r.compare(c, opGe, ends.From); err != nil {
			return noRow, err
		}
	}
	if !c.isOpen(ends.To) {
		if to, err = r.compare(c, opLe, ends.To); err != nil {
			return noRow, err
		}
	}
	return join(" AND ", []clause{from, to}), nil
}

// in renders that the column has one of the values. NULL is never in a list.
func (r *renderer) in(c *filterColumn, values []any) (clause, error) {
	list, alone, null, err := r.operands(c, values)
	if err != nil {
		return noRow, err
	}
	var any []clause
	if list != "" {
		any = append(any, clause(c.sql+" IN "+list))
	}
	for _, o := range alone {
		any = append(any, c.compareAlone(opEq, o))
	}
	if null {
		any = append(any, c.is("NULL"))
	}
	return join(" OR ", any), nil
}

func (r *renderer) notIn(c *filterColumn, values []any) (clause, error) {
	list, alone, null, err := r.operands(c, values)
	if err != nil {
		return noRow, err
	}
	var all []clause
	if list != "" {
		all = append(all, clause(c.sql+" NOT IN "+list))
	}
	for _, o := range alone {
		all = append(all, c.compareAlone(opNe, o))
	}
	if null {
		all = append(all, c.is("NOT NULL"))
	}
	return join(" AND ", all), nil
}

// operands sorts values into a list in parentheses, those that cannot be in one, and NULL.
func (r *renderer) operands(c *filterColumn, values []any) (list string, alone []operand, null bool, err error) {
	if len(values) == 1 {
		if q, ok := values[0].(*bun.SelectQuery); ok && q != nil {
			o, err := r.expression(q)
			return o.sql, nil, false, err
		}
	}
	var plain []string
	for _, v := range values {
		if _, ok := c.asList(v); ok {
			return "", nil, false, errList
		}
		o, err := r.operand(c, v)
		switch {
		case err != nil:
			return "", nil, false, err
		case o.null:
			null = true
		case c.inList(o):
			plain = append(plain, o.sql)
		default:
			alone = append(alone, o)
		}
	}
	if len(plain) > 0 {
		list = "(" + strings.Join(plain, ", ") + ")"
	}
	return list, alone, null, nil
}
