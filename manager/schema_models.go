package manager

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// bindModels are the models of one bind, in the order given.
type bindModels struct {
	bind  *Bind
	types []reflect.Type
	// placed says that they live there whatever their markers name, see [DBManager.On].
	placed bool
}

var (
	errNoTable     = errors.New("it has no table: pass (*Model)(nil)")
	errMarkerModel = errors.New("it names a bind and has no table: pass (*Model)(nil)")
)

// groupModels sorts models by their binds, in the order in which those first occur. A model given
// twice counts once.
func (m *DBManager) groupModels(models []any) (groups []*bindModels, errs []error) {
	byBind := make(map[*Bind]*bindModels)
	for _, model := range models {
		t := structOf(model)
		b, err := m.find(model)
		if err == nil && binds.IsMarker(model) {
			err = errMarkerModel
		} else if err == nil && t == nil {
			err = errNoTable
		}
		if err != nil {
			e := &TableError{Model: t, Err: err, unbound: b == nil}
			if b != nil {
				e.Bind = b.key
			}
			if t == nil && model != nil {
				e.Model = reflect.TypeOf(model)
			}
			errs = append(errs, e)
			continue
		}
		g := byBind[b]
		if g == nil {
			g = &bindModels{bind: b}
			byBind[b] = g
			groups = append(groups, g)
		}
		if !slices.Contains(g.types, t) {
			g.types = append(g.types, t)
		}
	}
	return groups, errs
}

// structOf returns the struct that a model is, points to or lists, nil if there is none.
func structOf(model any) reflect.Type {
	t := reflect.TypeOf(model)
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// tableModel is one model with its table.
type tableModel struct {
	typ     reflect.Type
	zero    any // *T, for hooks and queries
	table   *schema.Table
	written string // the table's name as SQL writes it
	keys    []foreignKey
	after   []*tableModel // whose tables must be there first
}

// foreignKey is a relation that the database is told of.
type foreignKey struct {
	relation *schema.Relation
	to       *tableModel // nil if it is not among the models
	late     bool        // added when both tables are there, because they refer to each other
}

// readModels reads the tables of the models, and what they refer to. A model that no query could use
// is left out, with an error.
func (g *bindModels) readModels() (list []*tableModel, errs []error) {
	db := g.bind.Writer()
	byName := make(map[string]*tableModel)
	for _, t := range linksFirst(g.types) {
		if _, err := readTable(db, t); err != nil {
			errs = append(errs, &TableError{Bind: g.bind.key, Model: t, Err: err})
		}
	}
	failed := func(t reflect.Type) bool {
		return slices.ContainsFunc(errs, func(err error) bool { return err.(*TableError).Model == t })
	}
	for _, t := range g.types {
		if failed(t) {
			continue
		}
		table, err := readTable(db, t)
		if err == nil && !g.placed {
			err = whole(func() error { return g.bind.router.CheckModel(t) })
		}
		if err != nil {
			errs = append(errs, &TableError{Bind: g.bind.key, Model: t, Err: err})
			continue
		}
		model := &tableModel{typ: t, zero: reflect.New(t).Interface(), table: table,
			written: string(db.QueryGen().AppendQuery(nil, string(table.SQLName)))}
		list = append(list, model)
		if byName[model.written] == nil {
			byName[model.written] = model
		}
	}
	for _, model := range list {
		model.readKeys(db, byName)
	}
	return list, errs
}

// linksFirst puts the models without many-to-many relations first: Bun must know a link table before
// the models that it links.
func linksFirst(types []reflect.Type) []reflect.Type {
	sorted := slices.Clone(types)
	slices.SortStableFunc(sorted, func(a, b reflect.Type) int {
		switch la, lb := hasLinks(a, nil), hasLinks(b, nil); {
		case la == lb:
			return 0
		case la:
			return 1
		}
		return -1
	})
	return sorted
}

func hasLinks(t reflect.Type, within []reflect.Type) bool {
	if slices.Contains(within, t) {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if embedded.Kind() == reflect.Struct && hasLinks(embedded, append(within, t)) {
				return true
			}
		}
		for _, option := range strings.Split(f.Tag.Get("bun"), ",") {
			if strings.HasPrefix(strings.TrimSpace(option), "m2m:") {
				return true
			}
		}
	}
	return false
}

// readTable is Bun's reading of a model.
func readTable(db *bun.DB, t reflect.Type) (table *schema.Table, err error) {
	err = whole(func() error {
		table = db.Table(t)
		return fieldErrors(db, table)
	})
	if err != nil && strings.Contains(err.Error(), "RegisterModel") {
		err = fmt.Errorf("%w: pass the link table's model too", err)
	}
	return table, err
}

// whole calls fn and turns a panic into an error: Bun panics at a model that is wrong.
func whole(fn func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%v", cause)
		}
	}()
	return fn()
}

// references finds the tables that the text of a column's type refers to.
var references = regexp.MustCompile("(?i)\\breferences\\s+([\\w.\"`]+)")

func (t *tableModel) readKeys(db *bun.DB, byName map[string]*tableModel) {
	for _, name := range slices.Sorted(maps.Keys(t.table.Relations)) {
		rel := t.table.Relations[name]
		if !rel.References() {
			continue
		}
		key := foreignKey{relation: rel, to: byName[string(db.QueryGen().AppendQuery(nil, string(rel.JoinTable.SQLName)))]}
		t.keys = append(t.keys, key)
		if key.to != nil && key.to != t {
			t.after = append(t.after, key.to)
		}
	}
	for _, f := range t.table.Fields {
		for _, match := range references.FindAllStringSubmatch(f.CreateTableSQLType, -1) {
			if to := namedTable(byName, match[1]); to != nil && to != t {
				t.after = append(t.after, to)
			}
		}
	}
}

// namedTable returns the model of a table named in SQL, quoted or not.
func namedTable(byName map[string]*tableModel, name string) *tableModel {
	plain := func(s string) string { return strings.NewReplacer(`"`, "", "`", "").Replace(s) }
	for written, model := range byName {
		if strings.EqualFold(plain(written), plain(name)) {
			return model
		}
	}
	return nil
}
