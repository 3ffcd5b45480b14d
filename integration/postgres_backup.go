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
	return c.workspace.inside(from, func(root *os.Root, data string) error {
		source, err := root.OpenRoot(data)
		if err != nil {
			return err
		}
		defer func() { _ = source.Close() }() // only read
		err = fs.WalkDir(source.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case entry.IsDir():
				err := c.workspace.mkdirAt(filepath.Join(to, name))
				if err == nil && slices.Contains(postgresKeptEmpty, name) {
					return fs.SkipDir
				}
				return err
			case name == control || slices.Contains(postgresLeftOut, name) || strings.HasPrefix(entry.Name(), "pgsql_tmp"):
				return nil
			}
			return c.workspace.copyFile(source, name, filepath.Join(to, name))
		})
		if err != nil {
			return err
		}
		return c.workspace.copyFile(source, control, filepath.Join(to, control))
	})
}

// copyFile copies one file, if it is there, for the servers' user.
func (w *workspace) copyFile(from *os.Root, name, to string) (err error) {
	source, err := from.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // only read
	target, err := w.openInside(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if w.as.switched {
		err = errors.Join(err, target.Chown(w.as.uid, w.as.gid))
	}
	return errors.Join(err, target.Close())
}
