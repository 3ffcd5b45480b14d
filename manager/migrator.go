package manager

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
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
// Each migration runs on connections of its own, beside the bind's pool, which are closed when it ends, however it does: what it
// sets, SET FOREIGN_KEY_CHECKS=0, PRAGMA foreign_keys=OFF, a search_path that a dump has emptied, reaches neither the next migration nor the application.
// That it is applied is noted on another connection. A migration of a file has one connection; a Go function's DB has as many as
// the bind's pool, and one session as long as statements come one after another. On SQLite a migration waits for the file's
// other writers, for a minute at most.
//
// A migration belongs to its bind: binds that share a database may have migrations of the same numbers. See [AssumeApplied] for a
// database of before that was so.
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
	opts       []migrate.MigratorOption
	table      string
	placed     bool  // it is an On's
	err        error // why there is no bind, nil if there is one
}

// A MigratorOption says how a [Migrator] works.
type MigratorOption func(*migratorOptions)

type migratorOptions struct {
	table string
	bun   []migrate.MigratorOption
}

// WithMigrationsTable keeps the notes of what is applied in a table of this name, as SQL writes it, and whose they are in
// one called so with _binds behind it. Without it the name is bun_migrations.
func WithMigrationsTable(name string) MigratorOption {
	return func(o *migratorOptions) { o.table = name }
}

// WithMigrateOptions gives opts to Bun's migrator: hooks, template data. A table's name, WithUpsert and
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
	return &Migrator{bind: b, migrations: migrations, opts: o.bun, table: o.table}
}

// bunMigrator returns Bun's migrator on work.
func (g *Migrator) bunMigrator(work *session, more ...migrate.MigratorOption) *migrate.Migrator {
	opts := append(g.opts[:len(g.opts):len(g.opts)], migrate.WithTableName(g.table), migrate.WithMarkAppliedOnSuccess(true))
	return migrate.NewMigrator(work.DB, g.migrations, append(opts, more...)...)
}

// notesResolver lets Bun's notes of migrations live in every bind: their models have no marker.
type notesResolver struct{ bun.ConnResolver }

const migratePackage = "github.com/uptrace/bun/migrate"

func (r notesResolver) ResolveConn(ctx context.Context, query bun.Query) bun.IConn {
	if m, ok := query.GetModel().(bun.TableModel); ok {
		if t := m.Table().Type; t.PkgPath() == migratePackage || t == claimType {
			return nil // the DB's own pool
		}
	}
	return r.ConnResolver.ResolveConn(ctx, query)
}

var claimType = reflect.TypeFor[claim]()

// A MigrateOption says how one run of migrations goes.
type MigrateOption func(*migrateOptions)

type migrateOptions struct {
	dry              bool
	applied, pending assumed
	progress         func(MigrationStep)
	planned          *migrate.MigrationGroup
}

// IfStill makes [Migrator.Down] undo the migrations of plan, what a [DryRun] of it returned, or nothing: where the last group is another one by now, since
// somebody has migrated meanwhile, it is refused.
func IfStill(plan *migrate.MigrationGroup) MigrateOption {
	return func(o *migrateOptions) { o.planned = plan }
}

var errOtherPlan = errors.New("the last group is not the one that was planned to be undone: somebody has migrated meanwhile. Look again")

// isPlanned reports whether a group is the one that was planned.
func (o *migrateOptions) isPlanned(group *migrate.MigrationGroup) bool {
	return o.planned == nil || slices.EqualFunc(o.planned.Migrations, group.Migrations, func(a, b migrate.Migration) bool {
		return a.Name == b.Name && a.ID == b.ID
	})
}

// A MigrationStep is one migration of a run, as it begins and as it ends.
type MigrationStep struct {
	Bind      binds.Key
	Direction string // "up", "down", "baseline"
	Name      string // "20240102_email"
	Nth, Of   int    // its place in the run, from 1
	Ended     bool   // false as it begins
	Took      time.Duration
	Err       error // why it failed, nil if it did not, or has not ended
}

// MigrationProgress has each migration of a run told to fn, twice: as it begins, and as it has ended and is noted. fn is called by the run itself, which waits for it.
func MigrationProgress(fn func(MigrationStep)) MigrateOption {
	return func(o *migrateOptions) { o.progress = fn }
}

// step runs one migration of many, and tells of it.
func (o *migrateOptions) step(s MigrationStep, run func() error) error {
	if o.progress == nil {
		return run()
	}
	o.progress(s)
	began := time.Now()
	s.Err = run()
	s.Ended, s.Took = true, time.Since(began)
	o.progress(s)
	return s.Err
}

// DryRun makes [Migrator.Up] and [Migrator.Down] return what they would run, and run and write nothing.
func DryRun() MigrateOption { return func(o *migrateOptions) { o.dry = true } }

// AssumeApplied tells [Migrator.Up] that the bind has applied these migrations, though the notes of them count for another bind:
// without names, all those of which a [*DoubtedMigrationsError] says so. They are noted, and not run.
//
// It is needed once, and only where two binds of one database had migrations of the same numbers before notes knew of binds.
// The notes of then count for the bind that migrates first; nobody knows whose they were.
func AssumeApplied(names ...string) MigrateOption {
	return func(o *migrateOptions) { o.applied.add(names) }
}

// AssumePending tells [Migrator.Up] that the bind has not applied these migrations, whatever the notes of a program say which did
// not tell binds apart, see [AssumeApplied]: without names, all those of which a [*DoubtedMigrationsError] says so. They are run.
// Named ones may also be such that the bind itself has taken over; the notes are then free for the bind whose they are.
func AssumePending(names ...string) MigrateOption {
	return func(o *migrateOptions) { o.pending.add(names) }
}

// Up runs the migrations that are not applied, in the order of their names, and returns them as one
// group, which [Migrator.Down] would undo: an empty one (IsZero) if there were none. Any number of
// processes may call it at once: it runs under the bind's named lock migrations, for which the others
// wait, and each migration runs once.
//
// The first that fails ends it, with a [*MigrationError]; those before it stay applied, and are in the
// returned group. It is refused in a context with an open transaction on the bind. What a program has noted that did not
// know of binds counts as applied; where that is in doubt, see [AssumeApplied], nothing runs, and the error is a [*DoubtedMigrationsError].
func (g *Migrator) Up(ctx context.Context, opts ...MigrateOption) (*migrate.MigrationGroup, error) {
	g, release, err := g.hold(ctx, up)
	if err != nil {
		return new(migrate.MigrationGroup), err
	}
	defer release()
	return g.run(ctx, opts, up, g.pending, g.up)
}

// hold returns a Migrator of the bind as it is configured now, which is not closed before release.
func (g *Migrator) hold(ctx context.Context, direction string) (present *Migrator, release func(), err error) {
	if g.err != nil {
		return nil, nothing, g.err
	}
	bind, release, err := g.bind.hold(ctx)
	if err != nil {
		return nil, nothing, &MigrationError{Bind: g.bind.key, Direction: direction, Err: err}
	}
	copied := *g
	copied.bind = bind
	return &copied, release, nil
}

func (g *Migrator) up(ctx context.Context, n *notes, o *migrateOptions) (*migrate.MigrationGroup, error) {
	if len(g.migrations.Sorted()) == 0 {
		return nil, errNoMigrations
	}
	if err := n.init(ctx); err != nil {
		return nil, err
	}
	s, err := g.read(ctx, n.work.DB)
	if err != nil {
		return nil, err
	}
	p, err := g.plan(s, o)
	if err == nil {
		err = s.checkUnique(p.pending)
	}
	if err == nil {
		err = n.settle(ctx, p)
	}
	group := new(migrate.MigrationGroup)
	if err != nil || len(p.pending) == 0 {
		return group, err
	}
	group.ID = s.lastGroupID() + 1
	for i := range p.pending {
		m := &p.pending[i]
		m.GroupID = group.ID
		group.Migrations = p.pending[:i+1]
		err := o.step(g.stepOf(up, m, i, len(p.pending)), func() error {
			if err := g.apart(ctx, m, m.Up); err != nil {
				return &stepError{m.Name, err}
			}
			return n.add(ctx, m)
		})
		if err != nil {
			return group, err
		}
	}
	return group, nil
}

func (g *Migrator) stepOf(direction string, m *migrate.Migration, i, of int) MigrationStep {
	return MigrationStep{Bind: g.bind.key, Direction: direction, Name: nameOf(m), Nth: i + 1, Of: of}
}

// apart runs one migration on connections that are closed at its end.
func (g *Migrator) apart(ctx context.Context, m *migrate.Migration, run func(context.Context, *migrate.Migrator, *migrate.Migration) error) error {
	if run == nil {
		return nil
	}
	work := g.bind.openSession(g.placed)
	defer work.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of what it has left open
	return run(ctx, g.bunMigrator(work), m)
}

// A stepError is that of a migration itself.
type stepError struct {
	name string
	err  error
}

func (e *stepError) Error() string { return e.name + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// Down undoes the migrations of the last group, the last one first, and returns the group: an empty one
// (IsZero) if nothing is applied. A migration without a down part only counts as not applied any more.
// Down works as [Migrator.Up] does, under the same lock. Where migrations are applied that
// this program does not know, it refuses: the last group may be theirs.
func (g *Migrator) Down(ctx context.Context, opts ...MigrateOption) (*migrate.MigrationGroup, error) {
	g, release, err := g.hold(ctx, down)
	if err != nil {
		return new(migrate.MigrationGroup), err
	}
	defer release()
	return g.run(ctx, opts, down, g.lastGroup, g.down)
}

func (g *Migrator) down(ctx context.Context, n *notes, o *migrateOptions) (*migrate.MigrationGroup, error) {
	last, err := g.lastGroup(ctx, n.work.DB, o)
	if err == nil && !o.isPlanned(last) {
		return nil, errOtherPlan
	}
	if err != nil || last.IsZero() {
		return last, err
	}
	if err := n.init(ctx); err != nil {
		return nil, err
	}
	for i := len(last.Migrations) - 1; i >= 0; i-- {
		m := &last.Migrations[i]
		err := o.step(g.stepOf(down, m, len(last.Migrations)-1-i, len(last.Migrations)), func() error {
			if err := g.apart(ctx, m, m.Down); err != nil {
				return &stepError{m.Name, err}
			}
			return n.remove(ctx, m)
		})
		if err != nil {
			return last, err
		}
	}
	return last, nil
}

// run calls change under the lock, or plan if nothing is to be changed.
func (g *Migrator) run(ctx context.Context, opts []MigrateOption, direction string,
	plan func(context.Context, *bun.DB, *migrateOptions) (*migrate.MigrationGroup, error),
	change func(context.Context, *notes, *migrateOptions) (*migrate.MigrationGroup, error),
) (group *migrate.MigrationGroup, err error) {
	var o migrateOptions
	for _, opt := range opts {
		opt(&o)
	}
	switch {
	case router.InTransaction(ctx, g.bind.key):
		err = errInTransaction
	case o.dry:
		group, err = plan(ctx, g.bind.Writer(), &o)
	default:
		err = g.bind.withLock(ctx, migrationLock, func(ctx context.Context) (err error) {
			n := g.openNotes()
			defer n.close()
			group, err = change(ctx, n, &o)
			if err != nil && group != nil && len(group.Migrations) > 0 {
				group, err = g.failed(ctx, n, group, direction, err)
			}
			return err
		}, beyondLimits)
	}
	if group == nil {
		group = new(migrate.MigrationGroup)
	}
	var why *MigrationError
	if err != nil && !errors.As(err, &why) {
		err = &MigrationError{Bind: g.bind.key, Direction: direction, Err: err}
	}
	return group, err
}

var errNoMigrations = errors.New("migrate: there are no migrations")
