package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/internal/nearest"
)

// migrationsDir holds a directory of migrations for each bind.
const migrationsDir = "migrations"

// migrationFile is how Bun wants the file of a migration to be called.
var migrationFile = regexp.MustCompile(`^(\d{1,14})_[0-9a-z_-]+(\.tx)?\.(up|down)\.sql$`)

// MigrationsFrom returns the SQL migrations of a bind that lie in fsys, by convention in
// migrations/<bind key>: an embed.FS of the directory migrations, os.DirFS of the one that it lies in.
//
//	migrations/accounts/20240101_users.tx.up.sql     in a transaction
//	migrations/accounts/20240101_users.tx.down.sql
//	migrations/accounts/20240215_index.up.sql        without one
//
// The number orders them and is what is noted as applied: it never changes. A file may hold several
// statements. MySQL and MariaDB take one at a time: there, and where statements must not share an implicit
// transaction, a line --bun:split comes between them. A bind without a key has the directory
// migrations/default. Go migrations may be added to what is returned.
//
// All mistakes are reported at once: a missing directory, files of other names ending in .sql, a number
// that is used twice, a down file without its up file; and, in whichever bind's migrations they are looked for, files
// ending in .sql in a directory of no bind of the manager, or in none: nobody would ever run them. A program that opens only
// some of the binds of a shared directory gives an fs.FS with theirs.
func MigrationsFrom(fsys fs.FS, b *Bind) (*migrate.Migrations, error) {
	failed := func(err error) error {
		return fmt.Errorf("manager: migrations of bind %q: %w", b.key.String(), err)
	}
	dir := path.Join(migrationsDir, b.key.String())
	if _, err := fs.Stat(fsys, dir); err != nil {
		return nil, failed(errors.Join(fmt.Errorf("%w (have %s)", err, directories(fsys)), checkDirectories(fsys, b.opts.namesOfBinds())))
	}
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, failed(err)
	}
	if err := errors.Join(checkFiles(sub, dir), checkDirectories(fsys, b.opts.namesOfBinds())); err != nil {
		return nil, failed(err)
	}
	migrations := migrate.NewMigrations(migrate.WithMigrationsDirectory(dir))
	if err := migrations.Discover(sub); err != nil {
		return nil, failed(err)
	}
	return migrations, nil
}

// checkFiles finds what Bun would pass over or mix up.
func checkFiles(sub fs.FS, dir string) error {
	var errs []error
	ups, downs := make(map[string]string), make(map[string]string)
	err := fs.WalkDir(sub, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".sql") {
			return err
		}
		parts := migrationFile.FindStringSubmatch(path.Base(name))
		if parts == nil {
			errs = append(errs, fmt.Errorf("%s: its name must be like 20240101_users.up.sql, 20240101_users.tx.up.sql, or the same with down", path.Join(dir, name)))
			return nil
		}
		files := ups
		if parts[3] == "down" {
			files = downs
		}
		if first, ok := files[parts[1]]; ok {
			errs = append(errs, fmt.Errorf("%s: its number is that of %s", path.Join(dir, name), path.Join(dir, first)))
		}
		files[parts[1]] = name
		return nil
	})
	for number, name := range downs {
		if _, ok := ups[number]; !ok {
			errs = append(errs, fmt.Errorf("%s: it undoes nothing: there is no %s_….up.sql", path.Join(dir, name), number))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(append(errs, err)...)
}

// checkDirectories finds migrations that belong to no bind.
func checkDirectories(fsys fs.FS, binds []string) error {
	entries, err := fs.ReadDir(fsys, migrationsDir)
	errs := []error{err}
	for _, e := range entries {
		dir := path.Join(migrationsDir, e.Name())
		switch {
		case !e.IsDir() && strings.HasSuffix(e.Name(), ".sql"):
			errs = append(errs, fmt.Errorf("%s: it lies in no bind's directory: move it to %s/<bind key>", dir, migrationsDir))
		case e.IsDir() && !slices.Contains(binds, e.Name()) && hasSQL(fsys, dir):
			errs = append(errs, fmt.Errorf("%s: there is no bind %q%s: nobody runs these migrations (have %s)",
				dir, e.Name(), nearest.Hint(e.Name(), binds), strings.Join(binds, ", ")))
		}
	}
	return errors.Join(errs...)
}

// hasSQL tells whether a file that ends in .sql lies below dir.
func hasSQL(fsys fs.FS, dir string) bool {
	found := false
	err := fs.WalkDir(fsys, dir, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".sql") {
			found = true
			return fs.SkipAll
		}
		return err
	})
	return found || err != nil
}

// directories lists the binds that have migrations.
func directories(fsys fs.FS) string {
	entries, _ := fs.ReadDir(fsys, migrationsDir) // that there are none is the answer
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, path.Join(migrationsDir, e.Name()))
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
