package sqlitebind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bindery-go/bindery/binds"
)

// ready makes sure that there is a file to connect to. A reader may come first: it may not create
// the file itself, so a short-lived writing connection does.
func (s *source) ready(ctx context.Context, role binds.Role) error {
	if s.mode != "rwc" {
		return s.exists()
	}
	if err := s.directory(); err != nil {
		return err
	}
	if err := s.createFile(); err != nil {
		return err
	}
	if role == binds.Writer || s.made.Load() {
		return nil
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.made.Load() {
		return nil
	}
	c, err := s.connect(ctx, binds.Writer)
	if err != nil {
		return err
	}
	return c.Close()
}

func (s *source) exists() error {
	switch info, err := os.Stat(s.path); {
	case errors.Is(err, fs.ErrNotExist):
		return &MissingError{Path: s.path, Cure: "create it, or say mode=rwc in the URI"}
	case err != nil:
		return fmt.Errorf("sqlitebind: %w", err)
	case info.IsDir():
		return fmt.Errorf("sqlitebind: %q is a directory: the URI must name a file", s.path)
	}
	return nil
}

// directory makes sure that the file's directory is there, creating it only when asked to.
func (s *source) directory() error {
	dir := filepath.Dir(s.path)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist) && s.createDir:
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("sqlitebind: create_dir: %w", err)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &MissingError{Path: dir, Directory: true, Cure: "create it, or add create_dir=1 to the URI"}
	case err != nil:
		return fmt.Errorf("sqlitebind: %w", err)
	case !info.IsDir():
		return fmt.Errorf("sqlitebind: %q is not a directory", dir)
	}
	if info, err := os.Stat(s.path); err == nil && info.IsDir() {
		return fmt.Errorf("sqlitebind: %q is a directory: the URI must name a file", s.path)
	}
	return nil
}

// createFile makes the file if it is missing, so that others cannot read it: SQLite would let them. What SQLite makes beside it,
// the log, its index and the rollback journal, gets the file's mode (findCreateFileMode in os_unix.c).
func (s *source) createFile() error {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, s.fileMode)
	if errors.Is(err, fs.ErrExist) {
		if _, err := os.Stat(s.path); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		f, err = os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, s.fileMode) // a link to nothing
	}
	if err != nil {
		return nil // SQLite says why, or can open it all the same
	}
	if s.exactMode {
		err = f.Chmod(s.fileMode)
	}
	// No connection of this process has the new file open: to close it takes no lock from one.
	return errors.Join(err, f.Close())
}

// openError adds the path and, where SQLite's words do not say it, the cure.
func (s *source) openError(err error) error {
	if s.memory() {
		return fmt.Errorf("sqlitebind: open a memory database: %w", err)
	}
	cure := ""
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
			cure = " (file and directory must be writable, in WAL mode even to read; " +
				"a file that never changes opens with mode=ro&immutable=1)"
		case sqlite3.SQLITE_NOTADB:
			cure = " (another kind of file, or an encrypted one)"
		}
	}
	return fmt.Errorf("sqlitebind: open %q: %w%s", s.path, err, cure)
}
