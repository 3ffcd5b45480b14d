package manager

import (
	"database/sql"

	"github.com/uptrace/bun"
)

// A session is a Bun DB on connections of its own, beside the writer's pool: for work that may change the session it runs in, SET,
// PRAGMA, USE, and must not hand that on. It waits for no connection of the pool, which may be used up, or hold one alone. One
// statement after another finds one session.
type session struct {
	*bun.DB
	pool     *sql.DB
	resolver bun.ConnResolver
}

// openSession makes no connection. The caller closes the session, whatever has happened in it.
func (b *Bind) openSession() *session { return b.openSessionWith(b.newDB) }

func (b *Bind) openSessionWith(newDB func(*sql.DB, bun.ConnResolver) *bun.DB) *session {
	pool := b.writer.SessionPool()
	resolver := notesResolver{b.router.WriterOn(pool)}
	return &session{DB: newDB(pool, resolver), pool: pool, resolver: resolver}
}

// close closes the connections. That one was broken already is no news.
func (s *session) close() { _ = s.pool.Close() }
