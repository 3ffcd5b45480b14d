package pgbind

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/bindery-go/bindery/binds"
)

var _ binds.NamedLocker = (*source)(nil)

// LockKey returns the key of the advisory lock, manual section 13.3.5, that a named lock is: the first
// eight bytes of the SHA-256 of "bindery:" and the name, as a signed big-endian number. A program
// in any language takes the same lock, within the same database, by
//
//	SELECT pg_advisory_lock(('x' || left(encode(sha256(convert_to('bindery:' || name, 'UTF8')), 'hex'), 16))::bit(64)::bigint)
func LockKey(name string) int64 {
	sum := sha256.Sum256([]byte("bindery:" + name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// locks are the named locks of one engine.
type locks struct{ connector *connector }

// NamedLocks returns where locks come from: advisory locks of sessions.
func (s *source) NamedLocks() binds.NamedLocks {
	return &locks{&connector{settings: s.settings, role: binds.Writer, sessions: s.sessions}}
}

// Open makes a session for one lock.
func (ls *locks) Open(ctx context.Context, name string) (binds.NamedLock, error) {
	c, err := ls.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	l := newLock(c.(*conn), LockKey(name), ls.connector.settings.readTimeout)
	if err := l.prepare(ctx); err != nil {
		_ = c.Close() // the error counts
		return nil, err
	}
	if l.conn.wire.pooling.shares() {
		return &pooledLock{lock: l, connector: ls.connector}, nil
	}
	return l, nil
}

// Close waits for the cancel requests under way.
func (ls *locks) Close() error { return ls.connector.Close() }
