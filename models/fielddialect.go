package models

import (
	"errors"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate/sqlschema"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/internal/modelhome"
)

// WithFieldTypes returns a dialect that gives each model's columns the types that its fields want when the model is first met, in
// whatever query, so that nobody has to call [Register]:
//
//	db := bun.NewDB(sqldb, models.WithFieldTypes(pgdialect.New()))
//
// A manager's binds have such dialects. All else is d, which has no tables of its own any more: use only the dialect that is returned.
// What is wrong with a model is told by Register, which changes nothing on such a dialect and may be called at any time.
//
// A dialect that should make tables by another one, which asks no server, has a method TableDialect() schema.Dialect.
//
// A dialect of WithFieldTypes is returned as it is, or with options as another one on the same d, with tables of its own.
func WithFieldTypes(d schema.Dialect, opts ...DialectOption) schema.Dialect {
	if _, ok := d.(fieldTyper); ok && len(opts) == 0 {
		return d
	}
	f := &fieldDialect{Dialect: d}
	if made, ok := d.(interface{ fields() *fieldDialect }); ok {
		d = made.fields().Dialect
		f.Dialect, f.cursors = d, made.fields().cursors
	}
	for _, opt := range opts {
		opt(f)
	}
	f.made = schema.NewTables(tableHook{tableDialectOf(d), f})
	inspects, canInspect := d.(inspector)
	migrates, canMigrate := d.(migrator)
	if canInspect && canMigrate {
		return &inspectedDialect{f, inspects, migrates}
	}
	return f
}

// A DialectOption says what a dialect of [WithFieldTypes] knows besides: [CursorKeys].
type DialectOption func(*fieldDialect)

// A fieldTyper is a dialect of [WithFieldTypes].
type fieldTyper interface {
	FieldErrors(t *schema.Table) error
}

type fieldDialect struct {
	schema.Dialect
	made    *schema.Tables
	errs    sync.Map    // of reflect.Type to error; those that have one
	cursors *cursorSeal // nil: the process's own
	homes   modelhome.Homes
}

// ModelHomes returns to whom the dialect belongs.
func (d *fieldDialect) ModelHomes() *modelhome.Homes { return &d.homes }

// Twin returns a dialect that has the same tables and is known as another one: a bind's second, for Bun DBs whose queries name it.
func (d *fieldDialect) Twin() schema.Dialect { return &twinDialect{fieldDialect: d} }

// Twin is that of the fieldDialect, with all that d can do besides.
func (d *inspectedDialect) Twin() schema.Dialect { return &inspectedTwin{inspectedDialect: d} }

type twinDialect struct {
	*fieldDialect
	twinHomes
}

type inspectedTwin struct {
	*inspectedDialect
	twinHomes
}

// twinHomes are those of the twin, not of the dialect whose it is.
type twinHomes struct{ homes modelhome.Homes }

func (t *twinDialect) ModelHomes() *modelhome.Homes { return &t.twinHomes.homes }

func (t *inspectedTwin) ModelHomes() *modelhome.Homes { return &t.twinHomes.homes }

// fields returns d: also of a dialect that embeds it.
func (d *fieldDialect) fields() *fieldDialect { return d }

// Tables returns the tables of the models seen.
func (d *fieldDialect) Tables() *schema.Tables { return d.made }

// OnTable completes a model's table.
func (d *fieldDialect) OnTable(t *schema.Table) { tableHook{tableDialectOf(d.Dialect), d}.OnTable(t) }

// FieldErrors returns what is wrong with the fields of one of its tables.
func (d *fieldDialect) FieldErrors(t *schema.Table) error {
	if err, ok := d.errs.Load(t.Type); ok {
		return err.(error)
	}
	return nil
}

// tableHook is the dialect of the tables themselves. Bun calls OnTable once for each.
type tableHook struct {
	schema.Dialect
	whole *fieldDialect
}

// Tables returns those of the whole: a relation's other tables are looked up there.
func (h tableHook) Tables() *schema.Tables { return h.whole.made }

// OnTable completes a model's table.
func (h tableHook) OnTable(t *schema.Table) {
	h.Dialect.OnTable(t)
	if errs := setUpTable(h.Name(), t); len(errs) > 0 {
		h.whole.errs.Store(t.Type, errors.Join(errs...))
	}
}

func tableDialectOf(d schema.Dialect) schema.Dialect {
	if maker, ok := d.(interface{ TableDialect() schema.Dialect }); ok {
		return maker.TableDialect()
	}
	return d
}

// inspector and migrator are what Bun's AutoMigrator asks of PostgreSQL's dialect.
type inspector interface {
	NewInspector(db *bun.DB, options ...sqlschema.InspectorOption) sqlschema.Inspector
	CompareType(a, b sqlschema.Column) bool
}

type migrator interface {
	NewMigrator(db *bun.DB, schemaName string) sqlschema.Migrator
}

type inspectedDialect struct {
	*fieldDialect
	inspector
	migrator
}

var (
	_ sqlschema.InspectorDialect = (*inspectedDialect)(nil)
	_ sqlschema.MigratorDialect  = (*inspectedDialect)(nil)
)
