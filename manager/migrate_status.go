package manager

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
)

// MigrationStatus is what is applied of a bind's migrations. It prints as a table and marshals to JSON.
type MigrationStatus struct {
	Bind       binds.Key        `json:"bind"`
	Migrations []MigrationState `json:"migrations"` // in the order of their names
}

// MigrationState is where one migration stands.
type MigrationState struct {
	Name string `json:"name"` // "20240101_users"; without the comment if the program does not know it
	// Applied says that the database has it.
	Applied bool `json:"applied"`
	// Known says that the program has it. What is applied and not known came from another version.
	Known bool `json:"known"`
	// Doubted says that whether it is applied is not known, see [AssumeApplied].
	Doubted bool `json:"doubted,omitempty"`
	// Group counts the runs of Up that applied something, from 1; 0 if it is not applied.
	Group int64     `json:"group,omitempty"`
	At    time.Time `json:"at,omitzero"` // when it was applied, by the server's clock
}

// Pending returns the names of the migrations that Up would run.
func (s *MigrationStatus) Pending() []string {
	var names []string
	for _, m := range s.Migrations {
		if !m.Applied && !m.Doubted {
			names = append(names, m.Name)
		}
	}
	return names
}

// String returns a table with a line for each migration.
func (s *MigrationStatus) String() string {
	width := len("MIGRATION")
	for _, m := range s.Migrations {
		width = max(width, len(m.Name))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s  STATUS\n", width, "MIGRATION")
	for _, m := range s.Migrations {
		status := "pending"
		if m.Applied {
			status = fmt.Sprintf("applied %s, group %d", m.At.UTC().Format(time.DateTime), m.Group)
		}
		if m.Doubted {
			status = "in doubt: noted before notes knew of binds"
		}
		if !m.Known {
			status += ", unknown to this program"
		}
		fmt.Fprintf(&b, "%-*s  %s\n", width, m.Name, status)
	}
	return b.String()
}

// Status asks the writer what is applied. It changes nothing, and does not wait for a migration that is
// running. What another bind of the database has applied it leaves out.
func (g *Migrator) Status(ctx context.Context) (*MigrationStatus, error) {
	g, release, err := g.hold(ctx, "status")
	if err != nil {
		return nil, err
	}
	defer release()
	state, err := g.read(ctx, g.bind.Writer())
	if err != nil {
		return nil, &MigrationError{Bind: g.bind.key, Direction: "status", Err: err}
	}
	s := &MigrationStatus{Bind: g.bind.key, Migrations: []MigrationState{}}
	add := func(list migrate.MigrationSlice, is MigrationState) {
		for _, m := range list {
			is.Name, is.Group, is.At = nameOf(&m), m.GroupID, m.MigratedAt
			s.Migrations = append(s.Migrations, is)
		}
	}
	add(state.applied, MigrationState{Applied: true, Known: true})
	add(state.pending, MigrationState{Known: true})
	add(state.unknown, MigrationState{Applied: true})
	for _, m := range state.doubted {
		add(migrate.MigrationSlice{unapplied(m)}, MigrationState{Known: true, Doubted: true})
	}
	slices.SortFunc(s.Migrations, func(a, b MigrationState) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

func nameOf(m *migrate.Migration) string { return strings.TrimSuffix(m.String(), "_") }

// migrationState is what is applied, each part in the order of the names.
type migrationState struct {
	applied, pending, unknown migrate.MigrationSlice
	doubted                   migrate.MigrationSlice // noted before notes knew of binds, and taken over by holder
	holder                    binds.Key
	states                    map[string]claimState // of the bind's own notes, by name
	taken                     map[string]bool       // the names in all notes, whosever; nil unless each may be there once
}

// read asks the writer. Where there are no notes, nothing is applied.
func (g *Migrator) read(ctx context.Context, db *bun.DB) (*migrationState, error) {
	list, found, err := g.readNotes(ctx, db)
	if err != nil {
		return nil, err
	}
	s := &migrationState{states: make(map[string]claimState)}
	mine, doubted := make(map[string]note), make(map[string]note)
	if found.has(db, g.table, g.table+"_name_unique") {
		s.taken = make(map[string]bool)
	}
	for _, n := range list {
		switch {
		case n.mine == applied || n.mine == takenOver || n.mine == unclaimed && n.others == unclaimed:
			mine[n.Name] = n
			s.states[n.Name] = n.mine
		case n.mine == unclaimed && n.others == takenOver:
			doubted[n.Name] = n
		}
		if s.taken != nil {
			s.taken[n.Name] = true
		}
	}
	known := g.migrations.Sorted()
	for _, m := range known {
		n, ok := mine[m.Name]
		d, doubt := doubted[m.Name]
		switch {
		case ok:
			m.ID, m.GroupID, m.MigratedAt = n.ID, n.GroupID, n.MigratedAt
			s.applied = append(s.applied, m)
		case doubt:
			m.ID, m.GroupID, m.MigratedAt = d.ID, d.GroupID, d.MigratedAt
			s.doubted, s.holder = append(s.doubted, m), d.holder
		default:
			s.pending = append(s.pending, m)
		}
	}
	for _, n := range list {
		if _, ok := s.states[n.Name]; ok && mine[n.Name].ID == n.ID && !contains(known, n.Name) {
			s.unknown = append(s.unknown, n.Migration)
		}
	}
	return s, nil
}

// lastGroupID returns the number of the bind's latest group.
func (s *migrationState) lastGroupID() int64 {
	return max(s.applied.LastGroupID(), s.unknown.LastGroupID())
}

// checkUnique refuses what could not be noted after it has run: Bun's WithUpsert makes an index by which a number is there
// once.
func (s *migrationState) checkUnique(pending migrate.MigrationSlice) error {
	for _, m := range pending {
		if s.taken[m.Name] {
			return fmt.Errorf("another bind has noted a migration %s, and the table's index on name, which Bun's WithUpsert has made, allows one: "+
				"drop the index, or give this bind a table of its own by WithMigrationsTable", m.Name)
		}
	}
	return nil
}

// pending returns what Up would run.
func (g *Migrator) pending(ctx context.Context, db *bun.DB, o *migrateOptions) (*migrate.MigrationGroup, error) {
	s, err := g.read(ctx, db)
	if err != nil {
		return nil, err
	}
	p, err := g.plan(s, o)
	if err != nil {
		return nil, err
	}
	group := &migrate.MigrationGroup{Migrations: p.pending}
	if len(p.pending) > 0 {
		group.ID = s.lastGroupID() + 1
	}
	return group, s.checkUnique(p.pending)
}

// lastGroup returns what Down would undo.
func (g *Migrator) lastGroup(ctx context.Context, db *bun.DB, _ *migrateOptions) (*migrate.MigrationGroup, error) {
	s, err := g.read(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(s.unknown) > 0 {
		var names []string
		for _, m := range s.unknown {
			names = append(names, nameOf(&m))
		}
		return nil, fmt.Errorf("applied migrations are unknown to this program, and the last group may be theirs: %s: use the program that has them", strings.Join(names, ", "))
	}
	return s.applied.LastGroup(), nil
}
