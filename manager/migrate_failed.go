package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/migrate"
)

// afterFailure is how long the asking takes, at most, what is applied after a migration failed.
const afterFailure = 5 * time.Second

// failed asks what is applied after a migration of group failed. It returns what was done, and an error
// that says it.
func (g *Migrator) failed(ctx context.Context, n *notes, group *migrate.MigrationGroup, direction string, err error) (*migrate.MigrationGroup, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterFailure)
	defer cancel()
	e := &MigrationError{Bind: g.bind.key, Direction: direction, Err: err}
	done := &migrate.MigrationGroup{ID: group.ID}
	state, askErr := g.read(ctx, n.work.DB)
	if askErr != nil {
		e.Unsure = true
		e.Err = fmt.Errorf("%w; what is applied could not be asked: %w", err, askErr)
		return done, e
	}
	todo := slices.Clone(group.Migrations)
	if direction == down {
		slices.Reverse(todo)
	} else {
		todo = append(todo[:0:0], todo...)
		for _, m := range state.pending {
			if !contains(todo, m.Name) {
				todo = append(todo, m)
			}
		}
	}
	for _, m := range todo {
		if contains(state.applied, m.Name) == (direction == up) {
			done.Migrations = append(done.Migrations, m)
			e.Done = append(e.Done, m.String())
			continue
		}
		e.Left = append(e.Left, m.String())
		if e.Name == "" {
			e.Name = m.String()
			var step *stepError
			if e.Unnoted = !errors.As(err, &step); !e.Unnoted {
				e.Err = step.err
			}
		}
	}
	e.commits = g.bind.dialect.Name() == dialect.MySQL
	return done, e
}

func contains(migrations migrate.MigrationSlice, name string) bool {
	return slices.ContainsFunc(migrations, func(m migrate.Migration) bool { return m.Name == name })
}
