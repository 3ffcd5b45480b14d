package manager

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

// The third direction: applied by somebody else.
const baseline = "baseline"

// Baseline notes the migrations that are not applied, in their order up to and with the one called last, as applied, and runs none of
// them: for a database that has what they make from elsewhere. Last is a migration's number or full name; "" means all. It returns what it
// noted, in one transaction, as one group; [Migrator.Down] would undo that group as any other, by the migrations' down parts. It works under the same lock as
// [Migrator.Up], and takes [DryRun] and [MigrationProgress]. A last that is no migration of the program, or is applied already, is an error. Where whether
// some are applied is in doubt, see [AssumeApplied], so is that.
func (g *Migrator) Baseline(ctx context.Context, last string, opts ...MigrateOption) (*migrate.MigrationGroup, error) {
	g, release, err := g.hold(ctx, baseline)
	if err != nil {
		return new(migrate.MigrationGroup), err
	}
	defer release()
	plan := func(ctx context.Context, db *bun.DB, o *migrateOptions) (*migrate.MigrationGroup, error) {
		group, err := g.pending(ctx, db, o)
		if err != nil {
			return nil, err
		}
		return group, g.cutAfter(group, last)
	}
	return g.run(ctx, opts, baseline, plan, func(ctx context.Context, n *notes, o *migrateOptions) (*migrate.MigrationGroup, error) {
		if len(g.migrations.Sorted()) == 0 {
			return nil, errNoMigrations
		}
		if err := n.init(ctx); err != nil {
			return nil, err
		}
		group, err := plan(ctx, n.work.DB, o)
		if err != nil {
			return nil, err
		}
		if err := g.note(ctx, n, group, o); err != nil {
			return nil, err
		}
		return group, nil
	})
}

// note writes down that the migrations of a group are applied: all of them, or none.
func (g *Migrator) note(ctx context.Context, n *notes, group *migrate.MigrationGroup, o *migrateOptions) error {
	return n.work.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		for i := range group.Migrations {
			m := &group.Migrations[i]
			m.GroupID = group.ID
			err := o.step(g.stepOf(baseline, m, i, len(group.Migrations)), func() error { return n.addIn(ctx, tx, m) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// cutAfter leaves off the migrations of a group after the one called last.
func (g *Migrator) cutAfter(group *migrate.MigrationGroup, last string) error {
	if last == "" {
		return nil
	}
	is := func(m *migrate.Migration) bool { return m.Name == last || nameOf(m) == last }
	for i := range group.Migrations {
		if is(&group.Migrations[i]) {
			group.Migrations = group.Migrations[:i+1]
			return nil
		}
	}
	var names []string
	for _, m := range g.migrations.Sorted() {
		if is(&m) {
			return fmt.Errorf("%s is applied already: nothing is to be noted", nameOf(&m))
		}
		names = append(names, nameOf(&m))
	}
	return fmt.Errorf("there is no migration %q (have %s)", last, strings.Join(names, ", "))
}
