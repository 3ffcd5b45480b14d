package manager

import (
	"context"
	"errors"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// drop drops what is there, in the opposite order. The lock is held.
func (s *tableSet) drop(ctx context.Context) []error {
	found, err := s.look(ctx)
	if err != nil {
		return []error{&TableError{Bind: s.bind.key, Err: err}}
	}
	if s.isSQLite() && s.hasCircle() {
		return s.dropCircle(ctx, found)
	}
	var errs []error
	for _, t := range s.tables {
		errs = append(errs, s.dropLateKeys(ctx, t, found)...)
	}
	return append(errs, s.dropTables(ctx, s.db, found)...)
}

func (s *tableSet) dropTables(ctx context.Context, db bun.IDB, found catalogue) (errs []error) {
	for i := len(s.tables) - 1; i >= 0; i-- {
		t := s.tables[i]
		if found[t.written] == nil {
			continue
		}
		delete(found, t.written) // another model may have the same table
		if _, err := db.NewDropTable().Model(t.zero).IfExists().Exec(ctx); err != nil {
			errs = append(errs, s.failed(t, "drop", err))
		}
	}
	return errs
}

// dropLateKeys opens a circle: no server drops a table that another one refers to.
func (s *tableSet) dropLateKeys(ctx context.Context, t *tableModel, found catalogue) (errs []error) {
	for _, k := range s.lateKeys(t) {
		name := k.name(t)
		if !found.has(s.db, t.written, name) {
			continue
		}
		verb := "CONSTRAINT"
		if s.db.Dialect().Name() == dialect.MySQL {
			verb = "FOREIGN KEY"
		}
		_, err := s.db.NewRaw("ALTER TABLE ? DROP ? ?", bun.Safe(t.written), bun.Safe(verb), bun.Ident(name)).Exec(ctx)
		if err != nil {
			errs = append(errs, s.failed(t, "drop foreign key "+name+" of", err))
		}
	}
	return errs
}

func (s *tableSet) hasCircle() bool {
	for _, t := range s.tables {
		for i := range t.keys {
			if t.keys[i].late {
				return true
			}
		}
	}
	return false
}

// dropCircle drops all tables of a SQLite bind or none: SQLite has no way to drop a foreign key, but
// does not miss a row before COMMIT if asked to wait.
func (s *tableSet) dropCircle(ctx context.Context, found catalogue) (errs []error) {
	err := s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = on"); err != nil {
			return err
		}
		errs = s.dropTables(ctx, tx, found)
		return errors.Join(errs...)
	})
	if err != nil && len(errs) == 0 {
		errs = []error{&TableError{Bind: s.bind.key, Err: err}}
	}
	return errs
}
