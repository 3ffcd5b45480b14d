package sqlitebind

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.NamedLocker = (*source)(nil)

// locks are the named locks of one engine. They live in a database of their own beside the bind's,
// called app.db-locks: the bind's has one writer at a time, so that a long transaction there would
// keep its own process from renewing a lock.
type locks struct {
	source *source // the bind's database
	side   *source // that of the locks
	pace   lockPace
	turn   chan struct{} // a semaphore of one; guards the rest
	// anchor keeps a memory database alive, and a file's log from being folded in whenever a lock's
	// connection is closed. Nil before the first lock.
	anchor *conn
	closed bool
}

// NamedLocks returns where locks come from: a table in a file beside the database's, or in a memory
// database beside it.
func (s *source) NamedLocks() binds.NamedLocks {
	side := settings{
		mode: "rwc", fileMode: 0o600, journalMode: "delete", busyTimeout: s.busyTimeout,
		pragmas: []pragma{{"synchronous", "normal"}},
	}
	if s.journalMode == "wal" {
		side.journalMode = "wal"
	}
	src := &source{driver: s.driver, settings: side, making: make(chan struct{}, 1)}
	if s.memory() {
		src.memoryName = s.memoryName + lockSuffix
	} else {
		src.path = s.path + lockSuffix
	}
	return &locks{source: s, side: src, pace: usualPace, turn: make(chan struct{}, 1)}
}

// lockSuffix makes the name of the locks' database from the bind's.
const lockSuffix = "-locks"

// Open makes a connection to the locks' database, which it creates if it is missing.
func (ls *locks) Open(ctx context.Context, name string) (binds.NamedLock, error) {
	if err := ls.ready(ctx); err != nil {
		return nil, err
	}
	c, err := ls.connect(ctx)
	if err != nil {
		return nil, err
	}
	l := newLock(c, ls.pace, name)
	if l.file, err = ls.stat(); err != nil {
		_ = c.Close() // the error counts
		return nil, err
	}
	l.stat = ls.stat
	return l, nil
}

// ready makes sure that there is a file to connect to, and a connection that stays.
func (ls *locks) ready(ctx context.Context) error {
	if ls.source.mode == "ro" {
		return errLockReadOnly
	}
	select {
	case ls.turn <- struct{}{}:
		defer func() { <-ls.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if ls.closed {
		return errors.New("sqlitebind: the engine is closed")
	}
	if !ls.side.memory() {
		if err := ls.makeFile(ctx); err != nil {
			return err
		}
	}
	if ls.anchor != nil {
		return nil
	}
	var err error
	ls.anchor, err = ls.connect(ctx)
	return err
}

// makeFile creates the locks' file with the permissions of the bind's, as SQLite does with its own
// files beside it: whoever may write the one may lock.
func (ls *locks) makeFile(ctx context.Context) error {
	if err := ls.source.ready(ctx, binds.Writer); err != nil {
		return err
	}
	like, err := os.Stat(ls.source.path)
	if err != nil {
		return nil // it was removed this moment: the locks' file is then made as a database is
	}
	f, err := os.OpenFile(ls.side.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, like.Mode().Perm())
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return ls.side.openError(err)
	}
	_ = f.Chmod(like.Mode().Perm()) // past the umask; without it the process can lock all the same
	giveTo(f, like)
	return f.Close()
}

func (ls *locks) connect(ctx context.Context) (*conn, error) {
	c, err := ls.side.connect(ctx, binds.Writer)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, makeLocks, nil); err != nil {
		_ = c.Close() // the error counts
		return nil, ls.side.openError(err)
	}
	return c, nil
}

// stat says which file the locks are in now; a memory database has none.
func (ls *locks) stat() (fs.FileInfo, error) {
	if ls.side.memory() {
		return nil, nil
	}
	return os.Stat(ls.side.path)
}

// Close closes the connection that stayed.
func (ls *locks) Close() error {
	ls.turn <- struct{}{}
	defer func() { <-ls.turn }()
	anchor := ls.anchor
	ls.anchor, ls.closed = nil, true
	if anchor == nil {
		return nil
	}
	return anchor.Close()
}
