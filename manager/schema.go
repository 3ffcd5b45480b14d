package manager

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// schemaLock is the name of the lock, of each bind, under which tables are made and dropped.
const schemaLock = "init_database_tables"

// WithoutForeignKeys makes [DBManager.CreateTables] create tables without foreign keys, as Bun's own
// CREATE TABLE does. Tables are ordered by relations all the same.
func WithoutForeignKeys() Option { return func(o *options) { o.noForeignKeys = true } }

// CreateTables creates the tables of models that are missing, and their indexes: each in the bind where
// its model lives, on the writer, referenced tables before those that refer to them. Models are
// (*T)(nil), or values; pass link tables of many-to-many relations too, which Bun then knows.
//
// Any number of goroutines and processes may call it at once: each table is created once, and nobody
// gets an error for coming second. It looks first, by one question a bind (for each 50 tables); only
// where something is missing it takes the bind's named lock init_database_tables, looks again, and
// creates. Of one process, one call at a time works on a bind: a thousand callers need two
// connections beside the bind's pool, which are closed at the end, with whatever hooks have set in their session. Different binds are
// worked on at the same time.
//
// A belongs-to or has-one relation to a table of the same bind becomes a foreign key, as with Bun's
// WithForeignKeys; [WithoutForeignKeys] turns that off. A table that refers to itself is one statement. Tables
// that refer to each other in a circle are created first and given those keys after, by ALTER TABLE; on
// SQLite a key may come before its table. A foreign key that only a BeforeCreateTable hook
// declares is not seen: give its table after the one that it refers to. A relation that joins two
// binds is a [*router.CrossBindRelationError].
//
// Indexes are those of [IndexedModel]. Bun's hooks, BeforeCreateTable and AfterCreateTable, run when
// the table is created, and not when it is there, even if AfterCreateTable failed the last time. A table that is there is never changed, but for its
// missing indexes: columns are a matter of migrations, see [Bind.Migrator]. MySQL and MariaDB commit at
// each statement; what a process that died had created is there, and the next call creates the rest.
//
// Every failure is a [*TableError] with model and bind, all joined; the other tables are created. It is
// refused in a context with an open transaction on the bind.
func (m *DBManager) CreateTables(ctx context.Context, models ...any) error {
	return m.changeTables(ctx, models, createMissing)
}

// A tableChange is what is done to the tables of models, if needed says so of what is there.
type tableChange struct {
	needed func(*tableSet, catalogue) bool
	do     func(context.Context, *tableSet) []error
}

var (
	createMissing = tableChange{(*tableSet).missing, func(ctx context.Context, s *tableSet) []error { return s.create(ctx) }}
	dropPresent   = tableChange{(*tableSet).present, func(ctx context.Context, s *tableSet) []error { return s.drop(ctx) }}
	reset         = tableChange{func(*tableSet, catalogue) bool { return true }, func(ctx context.Context, s *tableSet) []error {
		errs := s.drop(ctx)
		return append(errs, s.create(ctx)...)
	}}
)

// DropTables drops the tables of models that are there, with all their rows: those that refer to others
// first. It works as [DBManager.CreateTables] does, under the same lock, and reports failures the
// same way. A table that another one refers to which is not among the models stays: an error.
func (m *DBManager) DropTables(ctx context.Context, models ...any) error {
	return m.changeTables(ctx, models, dropPresent)
}

// ResetTables drops the tables of models, with all their rows, and creates them anew, in one turn of
// the lock. It is meant for tests, and for nothing else: it asks no questions.
func (m *DBManager) ResetTables(ctx context.Context, models ...any) error {
	return m.changeTables(ctx, models, reset)
}

// changeTables changes the tables of the models of each bind, under the bind's lock.
func (m *DBManager) changeTables(ctx context.Context, models []any, change tableChange) error {
	if m.closed.Load() {
		return ErrClosed
	}
	groups, errs := m.groupModels(models)
	return errors.Join(append(errs, each(groups, func(_ int, g *bindModels) error {
		return m.changeBind(ctx, g, change)
	})...)...)
}

// changeTables does so for models that all live in the bind.
func (o On) changeTables(ctx context.Context, models []any, change tableChange) error {
	if o.err != nil {
		return o.err
	}
	g := &bindModels{bind: o.bind, placed: true}
	var errs []error
	for _, model := range models {
		t := structOf(model)
		switch {
		case t != nil && binds.IsMarker(model):
			errs = append(errs, &TableError{Bind: o.bind.key, Model: t, Err: errMarkerModel})
		case t == nil:
			errs = append(errs, &TableError{Bind: o.bind.key, Model: reflect.TypeOf(model), Err: errNoTable})
		case !slices.Contains(g.types, t):
			g.types = append(g.types, t)
		}
	}
	return errors.Join(append(errs, o.m.changeBind(ctx, g, change))...)
}

func (m *DBManager) changeBind(ctx context.Context, g *bindModels, change tableChange) error {
	key := g.bind.key
	failed := func(err error) error { return &TableError{Bind: key, Err: err} }
	b, release, err := g.bind.hold(ctx)
	if err != nil {
		return failed(err)
	}
	defer release()
	g.bind = b
	if router.InTransaction(ctx, b.key) {
		return failed(errInTransaction)
	}
	select {
	case b.schemaTurn <- struct{}{}:
		defer func() { <-b.schemaTurn }()
	case <-ctx.Done():
		return failed(fmt.Errorf("wait for another call's turn: %w", context.Cause(ctx)))
	}
	list, errs := g.readModels()
	s := &tableSet{bind: b, db: b.Writer(), tables: sortTables(list), noKeys: b.opts.noForeignKeys}
	if len(s.tables) == 0 {
		return errors.Join(errs...)
	}
	found, err := s.look(ctx)
	switch {
	case err != nil:
		return errors.Join(append(errs, failed(err))...)
	case !change.needed(s, found):
		return errors.Join(errs...)
	}
	err = m.WithLock(ctx, b.key, schemaLock, func(ctx context.Context) error {
		work := b.openSession(g.placed) // a model's hook may set what is nobody else's business
		defer work.close()
		s.db, s.resolver = work.DB, work.resolver
		errs = append(errs, change.do(ctx, s)...)
		return nil
	})
	if err != nil {
		errs = append(errs, failed(err))
	}
	return errors.Join(errs...)
}

// tableSet is the tables of models in one bind, in the order in which they can be created.
type tableSet struct {
	bind   *Bind
	db     *bun.DB // the writer's, and where something is changed that of a session
	tables []*tableModel
	noKeys bool

	resolver bun.ConnResolver // of the session
}

func (s *tableSet) look(ctx context.Context) (catalogue, error) {
	var names []string
	for _, t := range s.tables {
		names = append(names, t.written)
	}
	return lookFor(ctx, s.db, names)
}

// lateKeys returns the foreign keys that a table gets after its creation. SQLite needs none: it looks
// for the referenced table when rows are written.
func (s *tableSet) lateKeys(t *tableModel) (late []*foreignKey) {
	if s.noKeys || s.isSQLite() {
		return nil
	}
	for i := range t.keys {
		if t.keys[i].late {
			late = append(late, &t.keys[i])
		}
	}
	return late
}

func (s *tableSet) isSQLite() bool { return s.db.Dialect().Name() == dialect.SQLite }

// missing reports whether there is anything to create.
func (s *tableSet) missing(found catalogue) bool {
	for _, t := range s.tables {
		if found[t.written] == nil {
			return true
		}
		for _, k := range s.lateKeys(t) {
			if !found.has(s.db, t.written, k.name(t)) {
				return true
			}
		}
		for _, index := range indexesOf(s.db, t.zero) {
			if !found.has(s.db, t.written, index.name) {
				return true
			}
		}
	}
	return false
}

// present reports whether there is anything to drop.
func (s *tableSet) present(found catalogue) bool { return len(found) > 0 }
