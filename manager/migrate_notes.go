package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
)

// What is applied is noted in two tables. The first is Bun's own, so that programs which know only that go on working. The
// second, called as the first with _binds behind it, says whose each note is: two binds may lie in one database and have
// migrations of the same numbers.
//
// A note without an entry in the second table was made by a program of before there was one. It counts for the bind that has a
// migration of that number, and the first bind to migrate takes it over. For any other bind it is then in doubt: whether it had
// applied its own migration of that number is nowhere to be found.

// A claim says whose a note of the first table is.
type claim struct {
	bun.BaseModel
	MigrationID int64      `bun:",pk"`
	Bind        string     `bun:"type:varchar(255),pk"`
	Name        string     `bun:"type:varchar(255),notnull"` // as in the note: an id may be given out again
	State       claimState `bun:"type:smallint,notnull"`
}

type claimState int16

const (
	unclaimed claimState = iota
	applied              // the bind has applied it
	takenOver            // it was there before notes had a bind
	rejected             // it was taken over, and the bind has not applied it
)

// A note is a row of the first table with what the second says of it.
type note struct {
	migrate.Migration
	mine, others claimState
	holder       binds.Key // of others
}

// notes reads and writes what is applied. Its connections are none that a migration runs on: that may have left its own without
// a search path, say.
type notes struct {
	g    *Migrator
	work *session
}

// openNotes makes notes to be closed. While nothing is asked they have no connection.
func (g *Migrator) openNotes() *notes {
	// Their models have no marker, and are written in transactions, past the resolver that lets them live here.
	n := &notes{g, g.bind.openSessionWith(g.bind.newDBWithoutGuard, func(r bun.ConnResolver) bun.ConnResolver { return r })}
	n.work.pool.SetMaxIdleConns(-1)
	return n
}

func (n *notes) close() { n.work.close() }

// claims returns the name of the second table.
func (g *Migrator) claims() string {
	const suffix = "_binds"
	last := len(g.table) - 1
	if c := g.table[last]; c == '"' || c == '`' {
		return g.table[:last] + suffix + g.table[last:]
	}
	return g.table + suffix
}

// init creates the tables that are missing.
func (n *notes) init(ctx context.Context) error {
	g := n.g
	if _, name := splitName(g.claims()); n.work.Dialect().Name() == dialect.PG && len(name) > longestName {
		return fmt.Errorf("the name of the table of migrations must have at most %d bytes: %s", longestName-len("_binds"), g.table)
	}
	if err := g.bunMigrator(n.work, migrate.WithUpsert(false)).Init(ctx); err != nil {
		return err
	}
	_, err := n.work.NewCreateTable().Model((*claim)(nil)).ModelTableExpr(g.claims()).IfNotExists().Exec(ctx)
	return err
}

// readNotes asks for all notes, in the order of their making. Where there is no table there are none.
func (g *Migrator) readNotes(ctx context.Context, db *bun.DB) ([]note, catalogue, error) {
	found, err := lookFor(ctx, db, []string{g.table, g.claims()})
	if err != nil || found[g.table] == nil {
		return nil, found, err
	}
	query := "SELECT m.id, m.name, m.group_id, m.migrated_at, '', '', 0 FROM ? AS m ORDER BY m.id"
	if found[g.claims()] != nil {
		query = "SELECT m.id, m.name, m.group_id, m.migrated_at, COALESCE(b.name, ''), COALESCE(b.bind, ''), COALESCE(b.state, 0)" +
			" FROM ? AS m LEFT JOIN ? AS b ON b.migration_id = m.id ORDER BY m.id"
	}
	var ids, groups, states []int64
	var names, of, whose []string
	var at []time.Time
	err = db.NewRaw(query, bun.Safe(g.table), bun.Safe(g.claims())).Scan(ctx, &ids, &names, &groups, &at, &of, &whose, &states)
	if err != nil {
		return nil, found, err
	}
	var list []note
	for i, id := range ids {
		if len(list) == 0 || list[len(list)-1].ID != id {
			list = append(list, note{Migration: migrate.Migration{ID: id, Name: names[i], GroupID: groups[i], MigratedAt: at[i]}})
		}
		n, state := &list[len(list)-1], claimState(states[i])
		switch {
		case state == unclaimed, of[i] != names[i]:
		case whose[i] == string(g.bind.key):
			n.mine = state
		case state != rejected:
			n.others, n.holder = state, binds.Key(whose[i])
		}
	}
	return list, found, nil
}

// add notes that a migration is applied, and by which bind, or nothing of that.
func (n *notes) add(ctx context.Context, m *migrate.Migration) error {
	return n.work.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return n.addIn(ctx, tx, m) })
}

func (n *notes) addIn(ctx context.Context, tx bun.Tx, m *migrate.Migration) error {
	if _, err := tx.NewInsert().Model(m).ModelTableExpr(n.g.table).Exec(ctx); err != nil {
		return err
	}
	return n.claim(ctx, tx, m, applied)
}

func (n *notes) claim(ctx context.Context, tx bun.Tx, m *migrate.Migration, state claimState) error {
	c := &claim{MigrationID: m.ID, Bind: string(n.g.bind.key), Name: m.Name, State: state}
	if _, err := tx.NewDelete().Model(c).ModelTableExpr(n.g.claims()).
		Where("migration_id = ?", m.ID).Where("bind = ?", c.Bind).Exec(ctx); err != nil {
		return err
	}
	_, err := tx.NewInsert().Model(c).ModelTableExpr(n.g.claims()).Exec(ctx)
	return err
}

// remove notes that a migration is not applied any more.
func (n *notes) remove(ctx context.Context, m *migrate.Migration) error {
	return n.work.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model(m).ModelTableExpr(n.g.table).Where("id = ?", m.ID).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewDelete().Model((*claim)(nil)).ModelTableExpr(n.g.claims()).Where("migration_id = ?", m.ID).Exec(ctx)
		return err
	})
}

// settle writes down whose the notes of before are.
func (n *notes) settle(ctx context.Context, p *migrationPlan) error {
	if len(p.takeOver)+len(p.reject)+len(p.copies) == 0 {
		return nil
	}
	return n.work.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		for state, list := range map[claimState]migrate.MigrationSlice{takenOver: p.takeOver, rejected: p.reject} {
			for i := range list {
				if err := n.claim(ctx, tx, &list[i], state); err != nil {
					return err
				}
			}
		}
		for i := range p.copies {
			m := &p.copies[i]
			m.ID = 0
			if _, err := tx.NewInsert().Model(m).ModelTableExpr(n.g.table).Exec(ctx); err != nil {
				return err
			}
			if err := n.claim(ctx, tx, m, takenOver); err != nil {
				return err
			}
		}
		return nil
	})
}

// A migrationPlan is what one Up does.
type migrationPlan struct {
	pending  migrate.MigrationSlice // to be run
	takeOver migrate.MigrationSlice // notes without a bind
	reject   migrate.MigrationSlice // notes that were taken over and are not the bind's
	copies   migrate.MigrationSlice // another bind's notes that count for this one, too
}

// plan says what Up does in a state, with what its options know of notes that are in doubt.
func (g *Migrator) plan(s *migrationState, o *migrateOptions) (*migrationPlan, error) {
	p := &migrationPlan{pending: slices.Clone(s.pending)}
	var doubted []string
	used := make(map[string]bool)
	for _, m := range s.applied {
		switch state := s.states[m.Name]; {
		case state != applied && o.pending.names(&m, used):
			p.reject, p.pending = append(p.reject, m), append(p.pending, unapplied(m))
		case state == unclaimed:
			p.takeOver = append(p.takeOver, m)
		}
	}
	for _, m := range s.doubted {
		switch {
		case o.applied.names(&m, used) || o.applied.all:
			p.copies = append(p.copies, m)
		case o.pending.names(&m, used) || o.pending.all:
			p.pending = append(p.pending, unapplied(m))
		default:
			doubted = append(doubted, nameOf(&m))
		}
	}
	var errs []error
	for _, name := range slices.Concat(o.applied.list, o.pending.list) {
		if !used[name] {
			errs = append(errs, fmt.Errorf("whether %q is applied is not in doubt", name))
		}
	}
	if len(doubted) > 0 {
		errs = append(errs, &DoubtedMigrationsError{Bind: g.bind.key, Holder: s.holder, Names: doubted})
	}
	slices.SortFunc(p.pending, func(a, b migrate.Migration) int { return strings.Compare(a.Name, b.Name) })
	return p, errors.Join(errs...)
}

func unapplied(m migrate.Migration) migrate.Migration {
	m.ID, m.GroupID, m.MigratedAt = 0, 0, time.Time{}
	return m
}

// assumed are migrations that an option names.
type assumed struct {
	list []string
	all  bool // those that are in doubt
}

func (a *assumed) add(names []string) {
	a.list, a.all = append(a.list, names...), a.all || len(names) == 0
}

// names reports whether a migration is named, and notes it as used.
func (a *assumed) names(m *migrate.Migration, used map[string]bool) bool {
	for _, name := range a.list {
		if name == m.Name || name == nameOf(m) {
			used[name] = true
			return true
		}
	}
	return false
}
