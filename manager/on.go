package manager

import (
	"context"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
)

// An On has the manager's builders and calls on one bind that was named at run time: a shard, a tenant. Its models live there, whatever bind their
// markers name, and so do those of their relations, however these are loaded: a bind has the whole family. It is a small value, good for as long as the
// manager, and safe for concurrent use. See [DBManager.On].
//
// Builders of one On are parts of each other's queries, and of those on the bind's own models; a builder of another bind is a
// [*router.WrongBindError]. For functions that take a Bun DB, those of package models among them, there is [On.DB].
type On struct {
	m     *DBManager
	bound binds.Bound
	bind  *Bind   // nil: see err
	db    *bun.DB // never nil
	err   error
}

// On returns the manager's builders on the bind that b names, for models whose markers name another bind, or none:
//
//	m.On(shardOf(user)).NewSelect(&orders).Where("user_id = ?", user).Scan(ctx)
//
// That the bind is unknown, or cannot be opened, is the error of each query. A bind of [WithTenants] is opened if it is closed, as long as
// [OpenWithin] allows; [DBManager.OnContext] has a context for that.
func (m *DBManager) On(b binds.Bound) On { return m.OnContext(m.closing, b) }

// OnContext is [DBManager.On] with a context that bounds, too, how long the opening of a tenant may take. It bounds no query.
func (m *DBManager) OnContext(ctx context.Context, b binds.Bound) On {
	if m.closed.Load() {
		return On{m: m, bound: b, db: m.book.Load().def.db, err: ErrClosed}
	}
	bind, err := m.findWithin(ctx, b)
	if err != nil {
		return On{m: m, bound: b, db: m.book.Load().def.db, err: err}
	}
	return bind.on(m)
}

func (b *Bind) on(m *DBManager) On { return On{m: m, bound: b.key, bind: b, db: b.placedDB()} }

// Key returns the bind's key, "" if there is no such bind.
func (o On) Key() binds.Key {
	if o.bind == nil {
		return ""
	}
	return o.bind.key
}

// Err returns why there is no such bind, nil if there is one.
func (o On) Err() error { return o.err }

// Bind returns the bind itself. Its own Bun DBs refuse models of other binds.
func (o On) Bind() (*Bind, error) { return o.bind, o.err }

// DB returns the Bun DB that routes as [Bind.DB] does and takes every model as one of the bind. Where there is no such bind, that is the error of every
// query.
func (o On) DB() *bun.DB {
	if o.err != nil {
		return o.m.book.Load().def.refusing(o.err)
	}
	return o.db
}

// model returns whether a model is a table's, or only stands for none: nil, a marker.
func (o On) model(model any) (isTable bool, err error) {
	switch {
	case o.err != nil:
		return false, o.err
	case model == nil || binds.IsMarker(model):
		return false, nil
	}
	if t := structOf(model); t != nil {
		if err := fieldErrors(o.db, o.db.Table(t)); err != nil {
			return false, err
		}
	}
	return true, nil
}

func buildOn[Q builder[Q]](o On, model any, start func(*bun.DB) Q) Q {
	isTable, err := o.model(model)
	q := start(o.db)
	switch {
	case err != nil:
		return q.Err(err)
	case isTable:
		return q.Model(model)
	}
	return q
}

// NewSelect starts a SELECT from model's table. A nil model, a marker or a bind key gives a query without one, for Bun's Table and TableExpr;
// here and below.
func (o On) NewSelect(model any) *bun.SelectQuery { return buildOn(o, model, (*bun.DB).NewSelect) }

// NewInsert starts an INSERT of model.
func (o On) NewInsert(model any) *bun.InsertQuery { return buildOn(o, model, (*bun.DB).NewInsert) }

// NewUpdate starts an UPDATE of model.
func (o On) NewUpdate(model any) *bun.UpdateQuery { return buildOn(o, model, (*bun.DB).NewUpdate) }

// NewDelete starts a DELETE of model.
func (o On) NewDelete(model any) *bun.DeleteQuery { return buildOn(o, model, (*bun.DB).NewDelete) }

// NewMerge starts a MERGE into model's table, see [DBManager.NewMerge].
func (o On) NewMerge(model any) *bun.MergeQuery { return buildOn(o, model, (*bun.DB).NewMerge) }

// NewValues starts a VALUES list of model's rows, for use in another query on the bind.
func (o On) NewValues(model any) *bun.ValuesQuery {
	_, err := o.model(model)
	q := o.db.NewValues(model)
	if err != nil {
		return q.Err(err)
	}
	return q
}

// NewCreateTable starts a CREATE TABLE for model.
func (o On) NewCreateTable(model any) *bun.CreateTableQuery {
	isTable, err := o.model(model)
	if err == nil && !isTable {
		err = errNoModel
	}
	if err != nil {
		return o.db.NewCreateTable().Err(err).Model((*noTable)(nil))
	}
	return o.db.NewCreateTable().Model(model)
}

// NewDropTable starts a DROP TABLE of model's table.
func (o On) NewDropTable(model any) *bun.DropTableQuery {
	return buildOn(o, model, (*bun.DB).NewDropTable)
}

// NewTruncateTable starts a TRUNCATE of model's table.
func (o On) NewTruncateTable(model any) *bun.TruncateTableQuery {
	return buildOn(o, model, (*bun.DB).NewTruncateTable)
}

// NewCreateIndex starts a CREATE INDEX on model's table.
func (o On) NewCreateIndex(model any) *bun.CreateIndexQuery {
	return buildOn(o, model, (*bun.DB).NewCreateIndex)
}

// NewDropIndex starts a DROP INDEX.
func (o On) NewDropIndex(model any) *bun.DropIndexQuery {
	return buildOn(o, model, (*bun.DB).NewDropIndex)
}

// NewAddColumn starts an ALTER TABLE that adds a column to model's table.
func (o On) NewAddColumn(model any) *bun.AddColumnQuery {
	return buildOn(o, model, (*bun.DB).NewAddColumn)
}

// NewDropColumn starts an ALTER TABLE that drops a column of model's table.
func (o On) NewDropColumn(model any) *bun.DropColumnQuery {
	return buildOn(o, model, (*bun.DB).NewDropColumn)
}

// NewRaw starts a query from its text, which decides whether a reader may run it.
func (o On) NewRaw(query string, args ...any) *bun.RawQuery {
	q := o.db.NewRaw(query, args...)
	if o.err != nil {
		return q.Err(o.err)
	}
	return q
}

// InTx runs fn in a transaction of the bind, as [DBManager.InTx] does. Give fn's context to queries of the On that it came from, or of another one on
// the same bind: those are part of the transaction.
func (o On) InTx(ctx context.Context, fn func(ctx context.Context) error, opts ...TxOption) error {
	return o.m.InTx(ctx, o.bound, fn, opts...)
}

// AfterCommit has call run after the bind's transaction, as [DBManager.AfterCommit] does.
func (o On) AfterCommit(ctx context.Context, call func(ctx context.Context)) error {
	return o.m.AfterCommit(ctx, o.bound, call)
}

// Lock takes a named lock of the bind, as [DBManager.Lock] does.
func (o On) Lock(ctx context.Context, name string, opts ...LockOption) (*Lock, error) {
	return o.m.Lock(ctx, o.bound, name, opts...)
}

// WithLock calls fn while it holds a lock of the bind, as [DBManager.WithLock] does.
func (o On) WithLock(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...LockOption) error {
	return o.m.WithLock(ctx, o.bound, name, fn, opts...)
}

// CreateTables creates the tables of all models in the bind, as [DBManager.CreateTables] does each in its own.
func (o On) CreateTables(ctx context.Context, models ...any) error {
	return o.changeTables(ctx, models, createMissing)
}

// DropTables drops the tables of all models in the bind, as [DBManager.DropTables] does each in its own.
func (o On) DropTables(ctx context.Context, models ...any) error {
	return o.changeTables(ctx, models, dropPresent)
}

// ResetTables drops and creates the tables of all models in the bind, as [DBManager.ResetTables] does each in its own.
func (o On) ResetTables(ctx context.Context, models ...any) error {
	return o.changeTables(ctx, models, reset)
}

// Migrator returns a migrator of the bind, as [Bind.Migrator] does. Where there is no such bind, what it does fails with the reason. A
// migration's Go functions get a Bun DB that takes every model as one of the bind.
func (o On) Migrator(migrations *migrate.Migrations, opts ...MigratorOption) *Migrator {
	g := o.bind.Migrator(migrations, opts...)
	g.placed, g.err = true, o.err
	return g
}
