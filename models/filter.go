package models

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A Condition is a condition on the columns of a model. [Filter] makes one of a map, [Eq], [In], [Between]
// and the like make them one by one, [And], [Or] and [Not] combine them, and [Where] adds them to a
// query. The zero Condition holds for every row.
//
// A Condition belongs to no database and no query: it can be kept, used again and by several
// goroutines. The values in it must not change meanwhile.
//
// # Names and values
//
// A column is named as in the database, and only the model's own columns and those of its has-one
// and belongs-to relations are known: "Author.name" is the column name of what the field Author
// loads, "Author.Company.name" goes one further. Such a relation must be part of the query, by
// [bun.SelectQuery.Relation]; updates and deletes know the model's own columns only.
//
// A value must be one that its column can hold, whatever the database would make of it: MySQL finds
// that 'abc' = 0. Pointers are followed and a [driver.Valuer] is asked for its value. Then
//
//   - an integer column takes integers, whole floats (which is what JSON has) and their decimal text;
//   - a float column takes numbers and their text, and infinities and NaN on PostgreSQL only;
//   - a bool column takes bools and what [strconv.ParseBool] reads;
//   - a text column takes strings of valid UTF-8 without NUL, which each database would treat in its way;
//   - a binary column takes bytes and strings;
//   - a time column takes times and date strings;
//   - a column of Unix time takes integers, times, which are cut to its unit, and date strings. Such are
//     the integers of [EpochTimestamps] and integer fields with the tag `models:"epoch"`
//     (milliseconds) or `models:"epoch:s"`, "epoch:us" and "epoch:ns";
//   - any other column takes values of its field's type, and what that type's Scan reads, so that
//     an [Enum] refuses a string that is none of its values;
//   - a [Serialized] column, and any other that is [StorageOnly], takes values of its field's type, and of what that holds;
//   - an [Encrypted] column can only be asked whether it is NULL.
//
// A [schema.QueryAppender] such as bun.Safe, or a *bun.SelectQuery as a subquery, is written as it writes
// itself. That is the one way in which a value is not a literal: never make one of a user's text.
//
// # Times and dates
//
// A date string is a day, "2024-01-31", or a moment as in RFC 3339, with a space instead of the T if
// need be: "2024-01-31T15:04", "2024-01-31 15:04:05.5", "2024-01-31T15:04:05+01:00". Without an offset it
// is in UTC, or in the zone that [InZone] names.
//
// A day is all of it: Eq is the whole day, Le and the end of a range include it, Gt begins with
// the next. Days have 23 or 25 hours where the zone's clock is changed. A column that the
// tag `bun:"type:date"` makes a DATE knows no zones and compares by its calendar.
//
// Times are written in UTC, as Bun reads them. SQLite has them as text, in the form of whoever wrote them: Eq, In and Ne know
// all forms that its driver reads; less and greater, as its order, compare rightly what is in UTC with a space between date
// and time, as Bun, CURRENT_TIMESTAMP and strftime write it.
//
// # What was read is found
//
// A float is compared with what the column reads as, so that Eq finds the row that a value came from though it is a DECIMAL with more
// digits or a FLOAT of which MySQL shows six. On MySQL, a column that is an ENUM, SET or BIT must say so in its field's tag,
// `bun:"type:enum('s','m','l')"`: it is ordered by numbers, but compared as text unless one knows; and the zero time is also
// MySQL's date of zeros. What SQLite has stored in another type than the column's own, such as the number 5 where the field is a string,
// is not found by the text "5".
//
// # NULL
//
// As in SQL, a row whose column is NULL satisfies neither Eq nor Ne nor the Not of one of them. A
// nil among the values asks for NULL itself: Eq(c, nil) is IS NULL, In(c, 1, nil) is "1 or NULL" and
// NotIn(c, 1, nil) is "neither 1 nor NULL".
//
// Texts compare as the column's collation says. The defaults of MySQL and MariaDB ignore case; since
// MySQL 8.0 and MariaDB 11.5 also accents and the width of characters; MariaDB's and those of MySQL up to 5.7 also trailing spaces.
type Condition struct{ t term }

// A term is one part of a condition.
type term interface {
	render(r *renderer) (clause, error)
}

// A clause is a condition in SQL that needs no parentheses.
type clause string

const (
	everyRow clause = "1 = 1"
	noRow    clause = "1 = 0"
)

func (c Condition) render(r *renderer) (clause, error) {
	if c.t == nil {
		return everyRow, nil
	}
	return c.t.render(r)
}

// Where adds conditions, all of which must hold, to a select, update or delete:
//
//	q.ApplyQueryBuilder(models.Where(models.Gt("age", 17), models.Filter(wanted)))
//
// The query's Model must be set before. A condition that cannot be, because of a name or a value, becomes the
// query's error, a [*FilterError], and the query does not run. Conditions that hold for every row, such
// as an empty [Filter], add nothing; Bun refuses an update or delete without any.
//
// In the function that [bun.SelectQuery.Relation] takes, use it for has-many and many-to-many relations only.
// The columns of others are the outer query's: "Author.name".
func Where(conditions ...Condition) func(bun.QueryBuilder) bun.QueryBuilder {
	return func(q bun.QueryBuilder) bun.QueryBuilder {
		var c clause
		r, err := newRenderer(q.Unwrap())
		if err == nil {
			c, err = And(conditions...).render(r)
		}
		switch {
		case err != nil:
			return breakQuery(q, err)
		case c == everyRow:
			return q
		}
		if len(r.parts) == 0 {
			return q.Where("?", schema.Safe(c))
		}
		return q.Where("?", writtenWith{c, r.parts})
	}
}

// writtenWith is a clause with the queries that have been written into it, so that who asks for a query's parts finds them.
type writtenWith struct {
	clause clause
	parts  []schema.QueryAppender
}

func (w writtenWith) AppendQuery(_ schema.QueryGen, b []byte) ([]byte, error) {
	return append(b, w.clause...), nil
}

// breakQuery makes the query fail with err. Bun forgets an error that is set while it writes the query, as
// in the function of a has-one relation, so the condition is one that no server can parse, too.
func breakQuery(q bun.QueryBuilder, err error) bun.QueryBuilder {
	switch q := q.Unwrap().(type) {
	case *bun.SelectQuery:
		q.Err(err)
	case *bun.UpdateQuery:
		q.Err(err)
	case *bun.DeleteQuery:
		q.Err(err)
	}
	return q.Where("?", schema.Safe("this filter is broken: see the error of models.Where"))
}

// Filter makes a condition of column names and values, all of which must match. In it
//
//   - nil means IS NULL;
//   - a slice means IN: an empty one matches nothing, and nil in one matches NULL. A []byte and other
//     slices of bytes, a slice that is a [driver.Valuer] or of the column's own type are values;
//   - a [Range], an array of two or a map with the keys "from" and "to", which JSON can say, means
//     between, on a column of numbers or times. An end that is nil, a nil pointer, a zero
//     time.Time or "" is open. With both ends open it holds for every row, NULL too: on an update or delete, see that a range from a
//     request has an end, or add a condition of your own. A map without "from" and "to" is an error;
//   - everything else means equal.
//
// columns are the names that the map may have, those of relations among them. Without any, every key is an error: a user who may name all
// columns can ask for a password's hash, letter by letter. For a map of the program's own, name all that it has:
// slices.Collect(maps.Keys(values)).
//
// Names, their number and the length of lists are bounded, see [MaxKeys]. All mistakes are reported together, the first ten of them one by
// one; [PublicText] has what may be told to who sent the map. The map is copied, the values in it are not.
func Filter(values map[string]any, columns ...string) Condition {
	f := filter{allowed: slices.Clone(columns), keys: len(values)}
	if f.keys <= MaxKeys {
		f.values = maps.Clone(values)
	}
	return Condition{f}
}

type filter struct {
	values  map[string]any
	keys    int // values has them, unless there are too many
	allowed nameList
}

func (f filter) render(r *renderer) (clause, error) {
	if err := atMost(f.keys, MaxKeys, "keys"); err != nil {
		return noRow, &FilterError{Model: r.table.Type, Err: err, sent: true}
	}
	var clauses []clause
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		c, err := f.match(r, name)
		clauses = append(clauses, c)
		errs = append(errs, err)
	}
	return join(" AND ", clauses), mistakes(errs)
}

func (f filter) match(r *renderer, name string) (clause, error) {
	if err := f.allowed.find(name, r.table.Type); err != nil {
		return noRow, &FilterError{Model: r.table.Type, Column: shortName(name), Err: err, sent: true}
	}
	col, err := r.column(name)
	if err != nil {
		return noRow, sent(err)
	}
	col.sent = true
	return col.condition(func() (clause, error) { return r.match(col, f.values[name]) })
}

// match renders what a value in a map means.
func (r *renderer) match(col *filterColumn, v any) (clause, error) {
	if ends, ok, err := col.asRange(v); ok || err != nil {
		if err != nil {
			return noRow, err
		}
		return r.between(col, ends)
	}
	if values, ok := col.asList(v); ok {
		if err := atMost(len(values), MaxListValues, "values in a list"); err != nil {
			return noRow, err
		}
		return r.in(col, values)
	}
	return r.compare(col, opEq, v)
}

// And holds where all the conditions do: everywhere, if there are none.
func And(conditions ...Condition) Condition {
	return Condition{group{sep: " AND ", of: slices.Clone(conditions)}}
}

// Or holds where one of the conditions does: nowhere, if there are none.
func Or(conditions ...Condition) Condition {
	return Condition{group{sep: " OR ", of: slices.Clone(conditions)}}
}

type group struct {
	sep string
	of  []Condition
}

func (g group) render(r *renderer) (clause, error) {
	clauses := make([]clause, len(g.of))
	var errs []error
	for i, c := range g.of {
		var err error
		clauses[i], err = c.render(r)
		errs = append(errs, err)
	}
	return join(g.sep, clauses), errors.Join(errs...)
}

// join combines clauses by " AND " or " OR ", leaving out those that decide nothing.
func join(sep string, clauses []clause) clause {
	neutral, decisive := everyRow, noRow
	if sep == " OR " {
		neutral, decisive = noRow, everyRow
	}
	var parts []string
	for _, c := range clauses {
		switch c {
		case decisive:
			return decisive
		case neutral:
		default:
			parts = append(parts, string(c))
		}
	}
	switch len(parts) {
	case 0:
		return neutral
	case 1:
		return clause(parts[0])
	}
	return clause("(" + strings.Join(parts, sep) + ")")
}

// Not holds where the condition is false. Where it is neither true nor false, because a column is
// NULL, its Not is neither.
func Not(condition Condition) Condition { return Condition{negation{condition}} }

type negation struct{ of Condition }

func (n negation) render(r *renderer) (clause, error) {
	c, err := n.of.render(r)
	switch {
	case err != nil:
		return noRow, err
	case c == everyRow:
		return noRow, nil
	case c == noRow:
		return everyRow, nil
	}
	return "NOT (" + c + ")", nil
}
