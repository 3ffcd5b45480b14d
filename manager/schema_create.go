package manager

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/uptrace/bun"
)

// create makes what is missing. The lock is held.
func (s *tableSet) create(ctx context.Context) []error {
	found, err := s.look(ctx)
	if err != nil {
		return []error{&TableError{Bind: s.bind.key, Err: err}}
	}
	var errs []error
	for _, t := range s.tables {
		if found[t.written] != nil {
			continue
		}
		if err := s.createTable(ctx, t, found); err != nil {
			errs = append(errs, s.failed(t, "create", err))
			continue
		}
		found[t.written] = map[string]bool{}
	}
	for _, t := range s.tables {
		if found[t.written] != nil {
			errs = append(errs, s.addLateKeys(ctx, t, found)...)
			errs = append(errs, s.addIndexes(ctx, t, found)...)
		}
	}
	return errs
}

func (s *tableSet) failed(t *tableModel, op string, err error) error {
	return &TableError{Bind: s.bind.key, Model: t.typ, Table: t.table.Name, Op: op, Err: err}
}

// createTable creates one table. That somebody who did not ask for the lock came first is no error.
func (s *tableSet) createTable(ctx context.Context, t *tableModel, found catalogue) error {
	for _, other := range t.after {
		if found[other.written] == nil && !t.isLate(other) && !s.noKeys && !s.isSQLite() {
			return fmt.Errorf("the table %q, which it refers to, could not be created", other.table.Name)
		}
	}
	q := s.db.NewCreateTable().Model(t.zero)
	switch {
	case s.noKeys:
	case len(s.lateKeys(t)) == 0:
		q = q.WithForeignKeys()
	default:
		for i := range t.keys {
			if k := &t.keys[i]; !k.late {
				q = q.ForeignKey("?", k.clause())
			}
		}
	}
	conn := &recordedConn{IConn: s.resolver.ResolveConn(ctx, q)}
	_, err := q.Conn(conn).Exec(ctx)
	if conn.done {
		return err // a hook's
	}
	return s.unlessThere(ctx, t, "", err)
}

// recordedConn knows whether the statement that it was given succeeded: what fails after that is the
// model's own hook.
type recordedConn struct {
	bun.IConn
	done bool
}

func (c *recordedConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	res, err := c.IConn.ExecContext(ctx, query, args...)
	c.done = c.done || err == nil
	return res, err
}

// addLateKeys adds the foreign keys of a circle that are missing. Where the other table could not be
// created, that was told.
func (s *tableSet) addLateKeys(ctx context.Context, t *tableModel, found catalogue) (errs []error) {
	for _, k := range s.lateKeys(t) {
		name := k.name(t)
		if found[k.to.written] == nil || found.has(s.db, t.written, name) {
			continue
		}
		_, err := s.db.NewRaw("ALTER TABLE ? ADD CONSTRAINT ? FOREIGN KEY ?",
			bun.Safe(t.written), bun.Ident(name), k.clause()).Exec(ctx)
		if err := s.unlessThere(ctx, t, name, err); err != nil {
			errs = append(errs, s.failed(t, "add foreign key "+name+" to", err))
		}
	}
	return errs
}

// addIndexes creates the indexes that are missing.
func (s *tableSet) addIndexes(ctx context.Context, t *tableModel, found catalogue) (errs []error) {
	for _, index := range indexesOf(s.db, t.zero) {
		if found.has(s.db, t.written, index.name) {
			continue
		}
		_, err := index.query.Exec(ctx)
		if err := s.unlessThere(ctx, t, index.name, err); err != nil {
			errs = append(errs, s.failed(t, "create index "+index.name+" of", err))
			continue
		}
		found[t.written][foldName(s.db, index.name)] = true
	}
	return errs
}

// unlessThere returns err, with which an attempt to create a part of a table ended, unless the part is
// there by now: somebody who did not ask for the lock came first, or the answer was lost. The part "" is the
// table itself.
func (s *tableSet) unlessThere(ctx context.Context, t *tableModel, part string, err error) error {
	if err == nil {
		return nil
	}
	found, lookErr := lookFor(ctx, s.db, []string{t.written})
	if lookErr == nil && found.has(s.db, t.written, part) {
		return nil
	}
	return err
}
