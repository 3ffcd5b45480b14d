package mysqlbind

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.NamedLocker = (*source)(nil)

// LockName returns what the server knows a named lock by: servers limit the length of names, differ on
// their case, and share them between databases. A program in any language takes the same lock by
//
//	SELECT GET_LOCK(SHA2(CONCAT('bindery:', DATABASE(), CHAR(0), CAST(name AS BINARY)), 256), timeout)
//
// with a name in UTF-8. Database is "" for a connection without one.
func LockName(database, name string) string {
	sum := sha256.Sum256([]byte("bindery:" + database + "\x00" + name))
	return hex.EncodeToString(sum[:])
}

// locks are the named locks of one engine.
type locks struct{ connector *connector }

// NamedLocks returns where locks come from: GET_LOCK.
func (s *source) NamedLocks() binds.NamedLocks {
	return &locks{&connector{source: s, role: binds.Writer, killer: newKiller(s, binds.Writer)}}
}

// Open makes a session for one lock.
func (ls *locks) Open(ctx context.Context, name string) (binds.NamedLock, error) {
	c, err := ls.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	l, err := newLock(ctx, c.(*conn), name, ls.connector.source.readTimeout)
	if err != nil {
		_ = c.Close() // the error counts
		return nil, err
	}
	return l, nil
}

// Close ends the killing of abandoned waits.
func (ls *locks) Close() error { return ls.connector.Close() }
