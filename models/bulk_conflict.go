package models

import (
	"slices"

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
		name := bun.Name(c.unchanged(table))
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

// unchanged chooses the column that [leaveAsItIs] assigns to itself. It is none that
//   - counts by itself: MySQL refuses (1869) where it has made the row's number in the same statement;
//   - may be generated, which cannot be assigned: those have a default, as Bun sees it;
//   - an expression might change: a time in the hour that a clock is put back, a JSON document, a vector.
//
// A column of the key is best: it can be indexed, so it is short and plain.
func (c conflict) unchanged(table *schema.Table) string {
	var key []*schema.Field
	for _, name := range c.key {
		key = append(key, table.FieldMap[name])
	}
	candidates := slices.Concat(key, table.PKs, table.DataFields)
	for _, fit := range []func(*schema.Field) bool{
		func(f *schema.Field) bool { return !f.AutoIncrement && !f.NullZero && f.SQLDefault == "" && isPlain(f) },
		func(f *schema.Field) bool { return !f.AutoIncrement && isPlain(f) },
		func(f *schema.Field) bool { return f.AutoIncrement },
	} {
		if i := slices.IndexFunc(candidates, fit); i >= 0 {
			return candidates[i].Name
		}
	}
	return candidates[0].Name
}

// isPlain reports whether a column holds a number, a text or bytes.
func isPlain(f *schema.Field) bool {
	switch kindOf(f) {
	case kindInt, kindFloat, kindBool, kindText, kindBytes:
		return true
	}
	return false
}

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
