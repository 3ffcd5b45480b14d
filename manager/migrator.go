package manager

import (
	"context"
	"errors"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/router"
)

// migrationLock is the name of the lock, of each bind, under which migrations run.
const migrationLock = "migrations"

// defaultMigrationsTable is where a bind notes its applied migrations: Bun's own name.
const defaultMigrationsTable = "bun_migrations"

// The directions of a migration.
const (
	up   = "up"
	down = "down"
)

// A Migrator brings one bind's database to the state that migrations describe. It is Bun's migrator, on
// the writer alone: what is applied is never read from a replica that trails. It is safe for
// concurrent use.
//
// A migration counts as applied when it has succeeded, and not before: WithMarkAppliedOnSuccess is always
// on. One that fails is tried again by the next Up. A file named .tx.up.sql runs in a
// transaction, and leaves nothing behind when it fails: on PostgreSQL and SQLite, that is. MySQL and
// MariaDB commit at each DDL statement: there a migration should hold one. A process that dies between
// a migration's end and the note that it is applied makes it run again, so it does no harm to write
// CREATE TABLE IF NOT EXISTS.
type Migrator struct {
	bind       *Bind
	migrations *migrate.Migrations
	bun        *migrate.Migrator
	table      string
}

// A MigratorOption says how a [Migrator] works.
type MigratorOption func(*migratorOptions)

type migratorOptions struct {
	table string
	bun   []migrate.MigratorOption
}

// WithMigrationsTable keeps the notes of what is applied in a table of this name, as SQL writes it.
// Without it the name is bun_migrations.
func WithMigrationsTable(name string) MigratorOption {
	return func(o *migratorOptions) { o.table = name }
}

// WithMigrateOptions gives opts to Bun's migrator: hooks, template data. A table's name and
// WithMarkAppliedOnSuccess among them are replaced.
func WithMigrateOptions(opts ...migrate.MigratorOption) MigratorOption {
	return func(o *migratorOptions) { o.bun = append(o.bun, opts...) }
}

// Migrator returns a migrator of the bind. Migrations come from [MigrationsFrom], from Bun's Discover,
// or are Go functions registered with Bun: those get a Bun DB on the writer. Nothing is asked of the server
// before the migrator's first use.
func (b *Bind) Migrator(migrations *migrate.Migrations, opts ...MigratorOption) *Migrator {
	o := migratorOptions{table: defaultMigrationsTable}
	for _, opt := range opts {
		opt(&o)
	}
	bunOpts := append(o.bun[:len(o.bun):len(o.bun)],
		migrate.WithTableName(o.table), migrate.WithMarkAppliedOnSuccess(true))
	db := b.newDB(b.writer.DB(), notesResolver{b.router.WriterOnly()})
	return &Migrator{bind: b, migrations: migrations, bun: migrate.NewMigrator(db, migrations, bunOpts...), table: o.table}
}

// notesResolver lets Bun's notes of migrations live in every bind: their models have no marker.
type notesResolver struct{ bun.ConnResolver }

const migratePackage = "github.com/uptrace/bun/migrate"

func (r notesResolver) ResolveConn(ctx context.Context, query bun.Query) bun.IConn {
	if m, ok := query.GetModel().(bun.TableModel); ok && m.Table().Type.PkgPath() == migratePackage {
		return nil // the DB's own pool: the writer's
	}
	return r.ConnResolver.ResolveConn(ctx, query)
}

// A MigrateOption says how one run of migrations goes.
type MigrateOption func(*migrateOptions)

type migrateOptions struct{ dry bool }

// DryRun makes [Migrator.Up] and [Migrator.Down] return what they would run, and run and write nothing.
func DryRun() MigrateOption { return func(o *migrateOptions) { o.dry = true } }

// Up runs the migrations that are not applied, in the order of their names, and returns them as one
// group, which [Migrator.Down] would undo: an empty one (IsZero) if there were none. Any number of
// processes may call it at once: it runs under the bind's named lock migrations, for which the others
// wait, and each migration runs once.
//
// The first that fails ends it, with a [*MigrationError]; those before it stay applied, and are in the
// returned group. It is refused in a context with an open transaction on the bind.
func (g *Migrator) Up(ctx context.Context, opts ...MigrateOption) (*migrate.MigrationGroup, error) {
	return g.run(ctx, opts, up, g.pending, func(ctx context.Context) (*migrate.MigrationGroup, error) {
		if err := g.bun.Init(ctx); err != nil {
			return nil, err
		}
		return g.bun.Migrate(ctx)
	})
}

// Down undoes the migrations of the last group, the last one first, and returns the group: an empty one
// (IsZero) if nothing is applied. A migration without a down part only counts as not applied any more.
// Down works as [Migrator.Up] does, under the same lock. Where migrations are applied that
// this program does not know, it refuses: the last group may be theirs.
func (g *Migrator) Down(ctx context.Context, opts ...MigrateOption) (*migrate.MigrationGroup, error) {
	return g.run(ctx, opts, down, g.lastGroup, func(ctx context.Context) (*migrate.MigrationGroup, error) {
		if group, err := g.lastGroup(ctx); err != nil || group.IsZero() {
			return group, err
		}
		return g.bun.Rollback(ctx)
	})
}

// run calls change under the lock, or plan if nothing is to be changed.
func (g *Migrator) run(ctx context.Context, opts []MigrateOption, direction string,
	plan, change func(context.Context) (*migrate.MigrationGroup, error),
) (group *migrate.MigrationGroup, err error) {
	var o migrateOptions
	for _, opt := range opts {
		opt(&o)
	}
	group = new(migrate.MigrationGroup)
	step := func(fn func(context.Context) (*migrate.MigrationGroup, error)) func(context.Context) error {
		return func(ctx context.Context) error {
			done, err := fn(ctx)
			if done != nil {
				group = done
			}
			return err
		}
	}
	switch {
	case router.InTransaction(ctx, g.bind.key):
		err = errInTransaction
	case o.dry:
		err = step(plan)(ctx)
	default:
		err = g.bind.withLock(ctx, migrationLock, func(ctx context.Context) error {
			err := step(change)(ctx)
			if err != nil && len(group.Migrations) > 0 {
				group, err = g.failed(ctx, group, direction, err)
			}
			return err
		})
	}
	var why *MigrationError
	if err != nil && !errors.As(err, &why) {
		err = &MigrationError{Bind: g.bind.key, Direction: direction, Err: err}
	}
	return group, err
}
