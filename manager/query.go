package manager

import (
	"errors"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
)

// home returns the Bun DB for a query on model, and whether model is a table's model or only names
// the bind. A query whose bind cannot be found is built on any DB and fails with err.
func (m *DBManager) home(model any) (db *bun.DB, isTable bool, err error) {
	k := m.book.Load()
	if m.closed.Load() {
		return k.def.db, false, ErrClosed
	}
	if b := k.homes.of(model); b != nil {
		return b.db, true, nil
	}
	b, err := m.find(model)
	if b == nil {
		return k.def.db, false, err
	}
	if err != nil { // it was removed: its router says so, but for transactions that go on
		return b.db, !binds.IsMarker(model), nil
	}
	if t := structOf(model); t != nil && !binds.IsMarker(model) {
		if err := fieldErrors(b.db, b.db.Table(t)); err != nil {
			return b.db, false, err
		}
	}
	if b.tenant == nil {
		k.homes.add(model, b)
	}
	return b.db, !binds.IsMarker(model), nil
}

// fieldErrors returns what models.WithFieldTypes has found wrong with the fields of a model.
func fieldErrors(db *bun.DB, t *schema.Table) error {
	if d, ok := db.Dialect().(interface{ FieldErrors(*schema.Table) error }); ok {
		return d.FieldErrors(t)
	}
	return nil
}

// builder is what Bun's builders of queries on a model have in common.
type builder[Q any] interface {
	Model(model any) Q
	Err(err error) Q
}

// build starts a query on the bind where model lives.
func build[Q builder[Q]](m *DBManager, model any, start func(*bun.DB) Q) Q {
	db, isTable, err := m.home(model)
	q := start(db)
	switch {
	case err != nil:
		return q.Err(err)
	case isTable:
		return q.Model(model)
	}
	return q
}

// NewSelect starts a SELECT from model's table, on the bind where model lives. A marker value or a
// bind key in place of a model gives a query without one, for Bun's Table and TableExpr.
//
// Here and below, a model whose bind is unknown or ambiguous makes the query fail when it runs.
func (m *DBManager) NewSelect(model any) *bun.SelectQuery {
	if b := m.book.Load().homes.of(model); b != nil && !m.closed.Load() { // the usual one, without a detour
		return b.db.NewSelect().Model(model)
	}
	return build(m, model, (*bun.DB).NewSelect)
}

// NewInsert starts an INSERT of model, on its bind.
func (m *DBManager) NewInsert(model any) *bun.InsertQuery {
	if b := m.book.Load().homes.of(model); b != nil && !m.closed.Load() {
		return b.db.NewInsert().Model(model)
	}
	return build(m, model, (*bun.DB).NewInsert)
}

// NewUpdate starts an UPDATE of model, on its bind.
func (m *DBManager) NewUpdate(model any) *bun.UpdateQuery {
	return build(m, model, (*bun.DB).NewUpdate)
}

// NewDelete starts a DELETE of model, on its bind.
func (m *DBManager) NewDelete(model any) *bun.DeleteQuery {
	return build(m, model, (*bun.DB).NewDelete)
}

// NewMerge starts a MERGE into model's table, on its bind. Only PostgreSQL 15 and newer have MERGE;
// Bun refuses it elsewhere.
func (m *DBManager) NewMerge(model any) *bun.MergeQuery {
	return build(m, model, (*bun.DB).NewMerge)
}

// NewValues starts a VALUES list of model's rows, for use in another query of the same bind.
func (m *DBManager) NewValues(model any) *bun.ValuesQuery {
	db, _, err := m.home(model)
	q := db.NewValues(model)
	if err != nil {
		return q.Err(err)
	}
	return q
}

// noTable keeps Bun's CREATE TABLE from looking for the hooks of a model that is not there: it asks
// for them before it looks at the query's error, and panics.
type noTable struct{}

var errNoModel = errors.New("manager: CREATE TABLE needs a model, not only a bind")

// NewCreateTable starts a CREATE TABLE for model, on its bind.
func (m *DBManager) NewCreateTable(model any) *bun.CreateTableQuery {
	db, isTable, err := m.home(model)
	if err == nil && !isTable {
		err = errNoModel
	}
	if err != nil {
		return db.NewCreateTable().Err(err).Model((*noTable)(nil))
	}
	return db.NewCreateTable().Model(model)
}

// NewDropTable starts a DROP TABLE of model's table, on its bind.
func (m *DBManager) NewDropTable(model any) *bun.DropTableQuery {
	return build(m, model, (*bun.DB).NewDropTable)
}

// NewTruncateTable starts a TRUNCATE of model's table, on its bind.
func (m *DBManager) NewTruncateTable(model any) *bun.TruncateTableQuery {
	return build(m, model, (*bun.DB).NewTruncateTable)
}

// NewCreateIndex starts a CREATE INDEX on model's table, on its bind.
func (m *DBManager) NewCreateIndex(model any) *bun.CreateIndexQuery {
	return build(m, model, (*bun.DB).NewCreateIndex)
}

// NewDropIndex starts a DROP INDEX, on model's bind.
func (m *DBManager) NewDropIndex(model any) *bun.DropIndexQuery {
	return build(m, model, (*bun.DB).NewDropIndex)
}

// NewAddColumn starts an ALTER TABLE that adds a column to model's table, on its bind.
func (m *DBManager) NewAddColumn(model any) *bun.AddColumnQuery {
	return build(m, model, (*bun.DB).NewAddColumn)
}

// NewDropColumn starts an ALTER TABLE that drops a column of model's table, on its bind.
func (m *DBManager) NewDropColumn(model any) *bun.DropColumnQuery {
	return build(m, model, (*bun.DB).NewDropColumn)
}

// NewRaw starts a query from its text, on the bind that b names. The text decides whether a reader
// may run it.
func (m *DBManager) NewRaw(b binds.Bound, query string, args ...any) *bun.RawQuery {
	db, _, err := m.home(b)
	q := db.NewRaw(query, args...)
	if err != nil {
		return q.Err(err)
	}
	return q
}
