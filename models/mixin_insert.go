package models

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/schema"
)

// prepare returns the plan of a query's model, or nil if there is nothing to do.
func prepare(b *builder, model bun.Model) (*plan, *schema.Table, error) {
	tm, ok := model.(bun.TableModel)
	if !ok {
		return nil, nil, nil
	}
	table := tm.Table()
	p := planOf(table.Type)
	if p.err != nil {
		return nil, nil, p.err
	}
	if len(p.mixins) == 0 {
		return nil, nil, nil
	}
	if b.err != nil {
		return nil, nil, b.err
	}
	return p, table, p.checkColumns(table)
}

// stampInsert fills the mixins of the rows that q inserts, and sees that q writes them.
func stampInsert(ctx context.Context, q *bun.InsertQuery) error {
	p, table, err := prepare(insertBuilder, q.GetModel())
	if p == nil || err != nil {
		return err
	}
	w := writtenBy(insertBuilder, q, table)
	if w.others {
		return nil // INSERT … SELECT: the columns are those of another table
	}
	now := clock(ctx)
	p.fill(rows(q.GetModel()), now)
	if len(w.columns) > 0 {
		for _, m := range p.mixins {
			for _, c := range m.columns {
				if !hasColumn(w.columns, c.name) {
					q.Column(c.name)
				}
			}
		}
	}
	if w.setValues != nil {
		p.touch(rows(w.setValues.GetModel()), table, now)
	}
	return p.upsert(q, writtenBy(insertBuilder, q, table))
}

func (p *plan) fill(rows func(func(reflect.Value) bool), now time.Time) {
	for row := range rows {
		for i := range p.mixins {
			if m, ok := p.mixins[i].in(row); ok {
				m.fill(now)
			}
		}
	}
}

// upsert sees that the update of an upsert refreshes what it must and keeps what it must.
func (p *plan) upsert(q *bun.InsertQuery, w *written) error {
	on := look[schema.QueryWithArgs](q, insertBuilder.on)
	head, tail, ok := cutUpdate(on.Query)
	if !ok {
		return nil
	}
	u := upsert{p, w, q.DB(), conflictName(q, w.table)}
	if tail != "" {
		missing, err := u.missing([]schema.QueryWithArgs{{Query: tail, Args: on.Args}})
		if err != nil || len(missing) == 0 {
			return err
		}
		q.On(head+strings.Join(missing, ", ")+", "+tail, on.Args...)
		return nil
	}
	if len(w.set) == 0 && w.setValues == nil {
		u.setAll(q)
		return nil
	}
	missing, err := u.missing(w.set)
	for _, assignment := range missing {
		q.Set("?", bun.Safe(assignment))
	}
	return err
}

// cutUpdate splits the text of an ON clause that updates into what comes before the first
// assignment and the assignments, if they are in the text.
func cutUpdate(on string) (head, tail string, ok bool) {
	upper := strings.ToUpper(on)
	for _, verb := range []string{"DO UPDATE", "DUPLICATE KEY UPDATE"} {
		i := strings.LastIndex(upper, verb)
		if i < 0 {
			continue
		}
		end := i + len(verb)
		tail = strings.TrimLeft(on[end:], " \t\r\n")
		if len(tail) > 4 && strings.EqualFold(tail[:3], "SET") && !isWord(tail[3]) {
			tail = strings.TrimLeft(tail[3:], " \t\r\n")
			return on[:end] + " SET ", tail, true
		}
		return on[:end] + " ", tail, true
	}
	return "", "", false
}

// conflictName returns the name that the row already there has in an upsert.
func conflictName(q *bun.InsertQuery, table *schema.Table) string {
	if name := look[schema.QueryWithArgs](q, insertBuilder.modelTable); !name.IsZero() {
		text, _ := name.AppendQuery(q.DB().QueryGen(), nil)
		return string(text[strings.LastIndexByte(string(text), ' ')+1:])
	}
	if q.DB().HasFeature(feature.InsertTableAlias) {
		return string(table.SQLAlias)
	}
	return string(table.SQLName)
}

// upsert writes the assignments of an upsert's update.
type upsert struct {
	*plan
	w   *written
	db  *bun.DB
	old string // the row that is there
}

// missing returns the assignments of the mixins' columns that set lacks.
func (u *upsert) missing(set []schema.QueryWithArgs) (missing []string, err error) {
	for _, m := range u.mixins {
		for _, c := range m.columns {
			explicit, _ := assigns(set, c.name)
			switch {
			case c.write == once, explicit:
			case c.write == always && u.setsValue(c.name):
			default:
				if err := u.checkPair(set, c); err != nil {
					return nil, err
				}
				missing = append(missing, u.assignment(c.name, c.write == raised))
			}
		}
	}
	return missing, nil
}

// setsValue reports whether SetValues assigns the column.
func (u *upsert) setsValue(column string) bool {
	if u.w.setValues == nil {
		return false
	}
	columns := look[[]schema.QueryWithArgs](u.w.setValues, valuesBuilder.columns)
	tm, ok := u.w.setValues.GetModel().(bun.TableModel)
	return ok && tm.Table().HasField(column) && (len(columns) == 0 || hasColumn(columns, column))
}

// assignment is that of the value that the insert would have written, or of one more than the old.
func (u *upsert) assignment(column string, raise bool) string {
	name := string(u.w.table.FieldMap[column].SQLName)
	onDuplicate := u.db.HasFeature(feature.InsertOnDuplicateKey)
	switch {
	case raise && onDuplicate:
		return name + " = " + name + " + 1"
	case raise:
		return name + " = " + u.old + "." + name + " + 1"
	case onDuplicate:
		return name + " = VALUES(" + name + ")"
	}
	return name + " = EXCLUDED." + name
}

// setAll spells what Bun would do for an upsert without Set, all columns or the chosen ones, but
// for those that only inserts write.
func (u *upsert) setAll(q *bun.InsertQuery) {
	for _, f := range u.w.table.DataFields {
		if len(u.w.columns) > 0 && !hasColumn(u.w.columns, f.Name) {
			continue
		}
		switch c, ok := u.column(f.Name); {
		case ok && c.write == once:
		default:
			q.Set("?", bun.Safe(u.assignment(f.Name, ok && c.write == raised)))
		}
	}
}

// column returns the mixins' column of that name.
func (p *plan) column(name string) (column, bool) {
	for _, m := range p.mixins {
		for _, c := range m.columns {
			if c.name == name {
				return c, true
			}
		}
	}
	return column{}, false
}

// checkPair sees that set does not assign only the other one of a pair.
func (p *plan) checkPair(set []schema.QueryWithArgs, c column) error {
	if c.pair == "" {
		return nil
	}
	if other, fromRow := assigns(set, c.pair); other && !fromRow {
		return &HalfAssignedError{Model: p.model, Assigned: c.pair, Missing: c.name}
	}
	return nil
}

// checkInserted finds rows that were inserted without their mixins.
func checkInserted(q *bun.InsertQuery) error {
	p, _, err := prepare(insertBuilder, q.GetModel())
	if p == nil || err != nil || len(look[[]schema.QueryWithArgs](q, insertBuilder.tables)) > 0 {
		return err
	}
	for row := range rows(q.GetModel()) {
		for i := range p.mixins {
			if m, ok := p.mixins[i].in(row); ok && !m.filled() {
				return &HiddenHookError{Model: p.model, Hook: "BeforeInsert", Column: p.mixins[i].columns[0].name}
			}
		}
	}
	return nil
}
