package models

import (
	"context"
	"reflect"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/schema"
)

// stampUpdate refreshes the mixins of the rows that q updates, and sees that q writes them. It may be
// called again for the same builder.
func stampUpdate(ctx context.Context, q *bun.UpdateQuery) error {
	p, table, err := prepare(updateBuilder, q.GetModel())
	if p == nil || err != nil {
		return err
	}
	w := writtenBy(updateBuilder, q, table)
	now := clock(ctx)
	for i := range p.mixins {
		if err := p.stampMixin(q, w, &p.mixins[i], now); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) stampMixin(q *bun.UpdateQuery, w *written, in *mixedIn, now time.Time) error {
	m := in.zero()
	m.touch(now)
	refreshed := false
	for _, c := range in.columns {
		yes, err := p.stampColumn(q, w, c, m)
		if err != nil {
			return err
		}
		refreshed = refreshed || yes
	}
	if refreshed {
		p.touchMixin(rows(q.GetModel()), in, now)
	}
	return nil
}

// stampColumn sees that q writes the column, and reports whether that is with the value of m.
func (p *plan) stampColumn(q *bun.UpdateQuery, w *written, c column, m mixin) (bool, error) {
	if c.write == once {
		return false, nil
	}
	if again := w.stampOf(c.name); again != nil {
		again.value = m.value(c.name)
		return true, nil
	}
	how := w.how(c, q.GetModel())
	if how == assigned {
		return false, nil
	}
	if err := p.checkPair(w.set, c); err != nil {
		return false, err
	}
	if c.write == raised {
		raise(q, w, c.name)
		return false, nil
	}
	how.write(q, w, &stamp{column: c.name, value: m.value(c.name)})
	return true, nil
}

// how says how an update can be made to write a column.
type how int

const (
	assigned   how = iota // the caller has assigned it, or it was done before
	fromStruct            // with the struct's other fields
	byColumn              // with the struct's chosen fields
	fromRows              // from each row, as Bulk does
	bySet                 // by an assignment
)

func (w *written) how(c column, model bun.Model) how {
	if _, ok := w.values[c.name]; ok {
		return assigned
	}
	if w.setValues != nil {
		return assigned
	}
	yes, fromRow := assigns(w.set, c.name)
	switch {
	case fromRow:
		return fromRows
	case yes:
		return assigned
	case !isStruct(model), c.write == raised:
		return bySet
	case w.columns != nil:
		return byColumn
	case len(w.set) == 0:
		return fromStruct
	}
	return bySet
}

func (h how) write(q *bun.UpdateQuery, w *written, s *stamp) {
	switch h {
	case byColumn:
		if !hasColumn(w.columns, s.column) {
			q.Column(s.column)
		}
		q.Value(s.column, "?", s)
	case fromStruct, fromRows:
		q.Value(s.column, "?", s) // to fromRows no more than a mark
	case bySet:
		q.Set("? = ?", target(q, w, s.column), s)
	}
}

// stamp is a value that a mixin has put into an update. It is found again when the builder is used
// again.
type stamp struct {
	column string
	value  any
}

// AppendQuery is called by Bun.
func (s *stamp) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return gen.Append(b, s.value), nil
}

// stampOf returns the stamp that is in the update for the column, nil if there is none.
func (w *written) stampOf(column string) *stamp {
	if v, ok := w.values[column]; ok {
		return stampIn(v, column)
	}
	for _, set := range w.set {
		if s := stampIn(set, column); s != nil {
			return s
		}
	}
	return nil
}

func stampIn(q schema.QueryWithArgs, column string) *stamp {
	if len(q.Args) == 0 {
		return nil
	}
	s, ok := q.Args[len(q.Args)-1].(*stamp)
	if !ok || s.column != column {
		return nil
	}
	return s
}

// isStruct reports whether a query's model is a struct with values, not a slice or no more than a
// type.
func isStruct(model bun.Model) bool {
	tm, ok := model.(bun.TableModel)
	if !ok {
		return false
	}
	v := reflect.ValueOf(tm.Value())
	return v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Struct
}

// raise adds one to the version. A struct whose every field is written must then name them, because
// Bun writes none of them beside a Set.
func raise(q *bun.UpdateQuery, w *written, name string) {
	if isStruct(q.GetModel()) && w.columns == nil && len(w.set) == 0 {
		for _, f := range w.table.DataFields {
			q.Column(f.Name)
		}
	}
	old := bun.Ident(name)
	if w.others {
		old = q.FQN(name)
	}
	q.Set("? = ? + 1", target(q, w, name), old)
}

// target is what an assignment calls the column. With several tables, MySQL wants to know which.
func target(q *bun.UpdateQuery, w *written, name string) bun.Ident {
	if w.others && q.DB().HasFeature(feature.UpdateMultiTable) {
		return q.FQN(name)
	}
	return bun.Ident(name)
}

func (p *plan) touch(rows func(func(reflect.Value) bool), table *schema.Table, now time.Time) {
	for i := range p.mixins {
		p.touchMixin(func(yield func(reflect.Value) bool) {
			for row := range rows {
				if row.Type() == table.Type && !yield(row) {
					return
				}
			}
		}, &p.mixins[i], now)
	}
}

func (p *plan) touchMixin(rows func(func(reflect.Value) bool), in *mixedIn, now time.Time) {
	for row := range rows {
		if m, ok := in.in(row); ok {
			m.touch(now)
		}
	}
}

// checkUpdated finds an update that was run without the mixins.
func checkUpdated(q *bun.UpdateQuery) error {
	p, table, err := prepare(updateBuilder, q.GetModel())
	if p == nil || err != nil {
		return err
	}
	w := writtenBy(updateBuilder, q, table)
	for _, m := range p.mixins {
		for _, c := range m.columns {
			if c.write != once && w.how(c, q.GetModel()) != assigned {
				return &HiddenHookError{Model: p.model, Hook: "BeforeUpdate", Column: c.name}
			}
		}
	}
	return nil
}
