package manager

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// Group counts the runs of Up that applied something, from 1; 0 if it is not applied.
	Group int64     `json:"group,omitempty"`
	At    time.Time `json:"at,omitzero"` // when it was applied, by the server's clock
}

// Pending returns the names of the migrations that Up would run.
func (s *MigrationStatus) Pending() []string {
	var names []string
	for _, m := range s.Migrations {
		if !m.Applied {
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
		if !m.Known {
			status += ", unknown to this program"
		}
		fmt.Fprintf(&b, "%-*s  %s\n", width, m.Name, status)
	}
	return b.String()
}

// Status asks the writer what is applied. It changes nothing, and does not wait for a migration that is
// running.
func (g *Migrator) Status(ctx context.Context) (*MigrationStatus, error) {
	state, err := g.read(ctx)
	if err != nil {
		return nil, &MigrationError{Bind: g.bind.key, Direction: "status", Err: err}
	}
	s := &MigrationStatus{Bind: g.bind.key, Migrations: []MigrationState{}}
	add := func(list migrate.MigrationSlice, applied, known bool) {
		for _, m := range list {
			s.Migrations = append(s.Migrations, MigrationState{Name: nameOf(&m), Applied: applied, Known: known, Group: m.GroupID, At: m.MigratedAt})
		}
	}
	add(state.applied, true, true)
	add(state.pending, false, true)
	add(state.unknown, true, false)
	slices.SortFunc(s.Migrations, func(a, b MigrationState) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

func nameOf(m *migrate.Migration) string { return strings.TrimSuffix(m.String(), "_") }

// migrationState is what is applied, each part in the order of the names.
type migrationState struct {
	applied, pending, unknown migrate.MigrationSlice
}

// read asks the writer. Where there are no notes, nothing is applied.
func (g *Migrator) read(ctx context.Context) (*migrationState, error) {
	s := new(migrationState)
	known := g.migrations.Sorted()
	found, err := lookFor(ctx, g.bun.DB(), []string{g.table})
	if err != nil {
		return nil, err
	}
	var noted migrate.MigrationSlice
	if found[g.table] != nil {
		if noted, err = g.bun.AppliedMigrations(ctx); err != nil {
			return nil, err
		}
	}
	for _, m := range known {
		if i := slices.IndexFunc(noted, func(n migrate.Migration) bool { return n.Name == m.Name }); i >= 0 {
			m.ID, m.GroupID, m.MigratedAt = noted[i].ID, noted[i].GroupID, noted[i].MigratedAt
			s.applied = append(s.applied, m)
		} else {
			s.pending = append(s.pending, m)
		}
	}
	for _, m := range noted {
		if !contains(known, m.Name) {
			s.unknown = append(s.unknown, m)
		}
	}
	return s, nil
}

// pending returns what Up would run.
func (g *Migrator) pending(ctx context.Context) (*migrate.MigrationGroup, error) {
	s, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	group := &migrate.MigrationGroup{Migrations: s.pending}
	if len(s.pending) > 0 {
		group.ID = max(s.applied.LastGroupID(), s.unknown.LastGroupID()) + 1
	}
	return group, nil
}

// lastGroup returns what Down would undo.
func (g *Migrator) lastGroup(ctx context.Context) (*migrate.MigrationGroup, error) {
	s, err := g.read(ctx)
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
