package models

import (
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/schema"
)

// A conflictMode says what becomes of a row whose key is taken.
type conflictMode int

const (
	failOnConflict conflictMode = iota
	ignoreConflict
	replaceConflict
)

// A conflict says what becomes of a row whose key is taken, and which key.
type conflict struct {
	mode    conflictMode
	key     []string
	columns []string // to be replaced
}

// apply spells the conflict for the query's dialect.
func (c conflict) apply(q *bun.InsertQuery, table *schema.Table) *bun.InsertQuery {
	if c.mode == failOnConflict {
		return q
	}
	if q.DB().HasFeature(feature.InsertOnDuplicateKey) {
		return c.onDuplicateKey(q, table)
	}
	switch {
	case c.mode == replaceConflict:
		q = q.On("CONFLICT (?) DO UPDATE", identifiers(c.key))
		for _, name := range c.columns {
			q = q.Set("? = EXCLUDED.?", bun.Name(name), bun.Name(name))
		}
	case len(c.key) > 0:
		q = q.On("CONFLICT (?) DO NOTHING", identifiers(c.key))
	default:
		q = q.On("CONFLICT DO NOTHING")
	}
	return q
}

// onDuplicateKey uses VALUES(), which MySQL deprecates: MariaDB does not know what came after it.
func (c conflict) onDuplicateKey(q *bun.InsertQuery, table *schema.Table) *bun.InsertQuery {
	if c.mode == ignoreConflict {
		column := table.Fields[0]
		if len(table.PKs) > 0 {
			column = table.PKs[0]
		}
		name := bun.Name(column.Name)
		return q.On(leaveAsItIs, name, name, name)
	}
	q = q.On("DUPLICATE KEY UPDATE")
	for _, name := range c.columns {
		q = q.Set("? = VALUES(?)", bun.Name(name), bun.Name(name))
	}
	return q
}

// leaveAsItIs gives a column its own value whichever way the condition goes, and counts: with
// clientFoundRows the server would count such a row like a new one. The comment keeps the mixins
// from taking this for an update, in which they would refresh their columns.
const leaveAsItIs = "DUPLICATE KEY /* is ignored */ UPDATE " +
	"? = IF((" + ignoredVariable + " := IFNULL(" + ignoredVariable + ", 0) + 1) > 0, ?, ?)"

const ignoredVariable = "@bindery_ignored"

// identifiers is a list of names for a statement.
type identifiers []string

// AppendQuery writes the names, quoted.
func (names identifiers) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	for i, name := range names {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = gen.AppendName(b, name)
	}
	return b, nil
}
