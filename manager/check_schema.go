package manager

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
)

// SchemaError reports a model that a table, as one server shows it, does not fit, see [DBManager.Check].
type SchemaError struct {
	Bind   binds.Key
	Engine string // whose server it was: "accounts/reader-1"
	Model  reflect.Type
	Table  string
	Column string // "" for the table as a whole
	Reason string // what is wrong: "the column is missing"
}

func (e *SchemaError) Error() string {
	at := fmt.Sprintf("table %q", e.Table)
	if e.Column != "" {
		at = fmt.Sprintf("column %q of table %q", e.Column, e.Table)
	}
	return fmt.Sprintf("manager: check %q: %s of model %s: %s", e.Engine, at, e.Model, e.Reason)
}

// checkSchema compares the models whose tables are there with the columns that each server shows.
func (r *BindReport) checkSchema(ctx context.Context, g *bindModels, models []*tableModel) {
	if len(models) == 0 {
		return
	}
	var names []string
	for _, t := range models {
		names = append(names, t.written)
	}
	engines := g.bind.engines()
	shown := make([]map[string][]column, len(engines))
	errs := make([]error, len(engines))
	var wg sync.WaitGroup
	for i, e := range engines {
		if r.Engines[i].Err == nil {
			wg.Go(func() { shown[i], errs[i] = columnsOf(ctx, e.DB(), g.bind.Writer(), names) })
		}
	}
	wg.Wait()
	kind := g.bind.dialect.Name()
	for i, e := range engines {
		if errs[i] != nil {
			r.Errs = append(r.Errs, &TableError{Bind: r.Bind, Err: fmt.Errorf("%s: %w", e.Name(), errs[i])})
		}
		if shown[i] == nil {
			continue
		}
		for _, t := range models {
			c := schemaCheck{kind: kind, model: t, at: SchemaError{Bind: r.Bind, Engine: e.Name(), Model: t.typ, Table: t.table.Name}}
			if i == 0 {
				c.writer(shown[0][t.written])
			} else if shown[0] != nil {
				c.reader(shown[i][t.written], shown[0][t.written])
			}
			r.Columns = append(r.Columns, c.mistakes...)
			r.Warnings = append(r.Warnings, c.warnings...)
		}
	}
}

// schemaCheck compares one model with one server's table.
type schemaCheck struct {
	kind               dialect.Name
	model              *tableModel
	at                 SchemaError
	mistakes, warnings []SchemaError
}

func (c *schemaCheck) mistake(column, reason string) {
	c.mistakes = append(c.mistakes, c.error(column, reason))
}
func (c *schemaCheck) warn(column, reason string) {
	c.warnings = append(c.warnings, c.error(column, reason))
}

func (c *schemaCheck) error(column, reason string) SchemaError {
	e := c.at
	e.Column, e.Reason = column, reason
	return e
}

// fold makes names of columns comparable: only PostgreSQL tells upper and lower case apart.
func (c *schemaCheck) fold(name string) string {
	if c.kind == dialect.PG {
		return name
	}
	return strings.ToLower(name)
}

func (c *schemaCheck) byName(columns []column) map[string]*column {
	named := make(map[string]*column, len(columns))
	for i := range columns {
		named[c.fold(columns[i].name)] = &columns[i]
	}
	return named
}

// writer looks for all that is wrong.
func (c *schemaCheck) writer(columns []column) {
	named := c.byName(columns)
	known := make(map[string]bool)
	for _, f := range c.model.table.Fields {
		known[c.fold(f.Name)] = true
		col := named[c.fold(f.Name)]
		if col == nil {
			c.mistake(f.Name, fmt.Sprintf("the column of field %s is missing: add it by a migration, or take the field out (bun:\"-\")", f.GoName))
			continue
		}
		switch how, why := fitOf(c.kind, f, col); how {
		case refused:
			c.mistake(f.Name, fmt.Sprintf("its type, %s, cannot hold field %s of type %s: %s", col.typ, f.GoName, f.StructField.Type, why))
		case narrow:
			c.warn(f.Name, fmt.Sprintf("its type, %s, may not hold all of field %s of type %s: %s", col.typ, f.GoName, f.StructField.Type, why))
		}
	}
	for name, f := range c.model.table.FieldMap { // scanonly fields are read, too
		known[c.fold(name)] = known[c.fold(name)] || f != nil
	}
	for _, col := range columns {
		if col.needed && !known[c.fold(col.name)] {
			c.warn(col.name, "an INSERT of the model fails: the column is NOT NULL without a default, and the model has no field for it")
		}
	}
}

// reader looks for what its server does not show, though the writer's does.
func (c *schemaCheck) reader(columns, writers []column) {
	const why = "the reader does not show it, though the writer has it: it trails, or is another database; reads of it go to the writer"
	if len(columns) == 0 && len(writers) > 0 {
		c.warn("", why)
		return
	}
	named, there := c.byName(columns), c.byName(writers)
	for _, f := range c.model.table.Fields {
		if name := c.fold(f.Name); named[name] == nil && there[name] != nil {
			c.warn(f.Name, why)
		}
	}
}
