package sqlitebind

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/nearest"
)

// settle sets what holds for a connection as long as it lives: the journal, the pragmas of URI and
// options, and last of all a reader's belt.
func (s *source) settle(ctx context.Context, c *conn) error {
	writes := c.role == binds.Writer && s.mode != "ro"
	if err := s.setJournal(ctx, c, writes); err != nil {
		return err
	}
	pragmas := s.pragmas
	if writes {
		pragmas = append(pragmas[:len(pragmas):len(pragmas)], s.writing...)
	}
	for _, p := range pragmas {
		if _, err := c.ExecContext(ctx, p.statement(), nil); err != nil {
			return fmt.Errorf("pragma %q: %w", p.name, err)
		}
	}
	for _, p := range s.driver.pragmas {
		if err := setKnown(ctx, c, p); err != nil {
			return err
		}
	}
	c.changed = false // it is what a new session is like
	if err := c.db.authorize(s.allowed(c.role)); err != nil {
		return err
	}
	return c.fasten(ctx)
}

// setJournal sets the journal mode and checks that SQLite did: where it cannot, it says so only by
// answering another mode.
func (s *source) setJournal(ctx context.Context, c *conn, writes bool) error {
	want := s.journalMode
	switch {
	case s.memory():
		want = "memory" // else a rollback journal appears in the file system
	case !writes:
		return nil
	}
	var got string
	err := c.waiter.insist(ctx, func() (err error) {
		got, err = c.text(ctx, "PRAGMA journal_mode = "+want)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("pragma %q: %w", "journal_mode", err)
	case !strings.EqualFold(got, want):
		return fmt.Errorf("sqlitebind: the file cannot have journal_mode=%s, it keeps %q: "+
			"does its file system lack shared memory? say journal_mode=%[2]s in the URI", want, got)
	}
	return nil
}

// setKnown sets a pragma of the program. SQLite ignores one that it does not know.
func setKnown(ctx context.Context, c *conn, p pragma) error {
	known, err := c.texts(ctx, "SELECT name FROM pragma_pragma_list ORDER BY name")
	if err != nil {
		return err
	}
	for _, name := range known {
		if name == p.name {
			if _, err := c.ExecContext(ctx, p.statement(), nil); err != nil {
				return fmt.Errorf("pragma %q: %w", p.name, err)
			}
			return nil
		}
	}
	return fmt.Errorf("sqlitebind: unknown pragma %q%s", p.name, nearest.Hint(p.name, known))
}

// text runs a query of one value.
func (c *conn) text(ctx context.Context, query string) (string, error) {
	vs, err := c.texts(ctx, query)
	if err != nil || len(vs) == 0 {
		return "", err
	}
	return vs[0], nil
}

// texts runs a query of one column.
func (c *conn) texts(ctx context.Context, query string) (vs []string, err error) {
	rows, err := c.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return vs, nil
		case err != nil:
			return nil, err
		}
		vs = append(vs, fmt.Sprint(row[0]))
	}
}
