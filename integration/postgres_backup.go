package integration

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rebuild copies the primary's data while it runs: a base backup by the low-level API (manual, section 25.3.3),
// since a server may be installed without pg_basebackup. The write-ahead log is fetched by the standby.
func (pg *postgres) rebuild(ctx context.Context, s, primary *Server) error {
	start, stop := "SELECT pg_backup_start('rebuild', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if s.cluster.version.Major < 15 {
		start, stop = "SELECT pg_start_backup('rebuild', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	var label string
	err := primary.ask(ctx, "postgres", "back up", func(ctx context.Context, conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, start); err != nil {
			return err
		}
		if err := s.cluster.copyRunning(primary.dataPath(), s.dataPath()); err != nil {
			return err
		}
		return conn.QueryRowContext(ctx, stop).Scan(&label)
	})
	if err != nil {
		return err
	}
	if err := s.cluster.workspace.write(filepath.Join(s.dataPath(), "backup_label"), label); err != nil {
		return err
	}
	return pg.configure(s)
}

// What a base backup leaves out: manual, section 25.3.3.2. Of these directories the names are kept, of what is in
// them nothing: a server does not start beside the folder of a slot that is empty.
var (
	postgresLeftOut   = []string{"postmaster.pid", "postmaster.opts", "standby.signal", "backup_label", "current_logfiles"}
	postgresKeptEmpty = []string{"pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}
)

// copyRunning copies the data directory of a server at work. Files may change, which replay mends, and go
// away, which is no error. The control file comes last, as the manual has it for a backup of a standby.
func (c *Cluster) copyRunning(from, to string) error {
	const control = "global/pg_control"
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		name, errName := filepath.Rel(from, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || errName != nil:
			return errors.Join(err, errName)
		case entry.IsDir():
			err := os.Mkdir(filepath.Join(to, name), 0o700)
			if err == nil {
				err = c.workspace.as.give(filepath.Join(to, name))
			}
			if err == nil && slices.Contains(postgresKeptEmpty, name) {
				return fs.SkipDir
			}
			return err
		case name == control || slices.Contains(postgresLeftOut, name) || strings.HasPrefix(entry.Name(), "pgsql_tmp"):
			return nil
		}
		return c.copyFile(path, filepath.Join(to, name))
	})
	if err != nil {
		return err
	}
	return c.copyFile(filepath.Join(from, control), filepath.Join(to, control))
}

// copyFile copies one file, if it is there, for the servers' user.
func (c *Cluster) copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // only read
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		_ = target.Close() // the first error counts
		return err
	}
	return errors.Join(target.Close(), c.workspace.as.give(to))
}
