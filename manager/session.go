package manager

import (
	"database/sql"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/router"
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
// Placed says that it takes every model as one of the bind, see [DBManager.On].
func (b *Bind) openSession(placed bool) *session {
	if placed {
		return b.openSessionWith(b.newPlacedDB, router.PlacedAs)
	}
	return b.openSessionWith(b.newDB, func(r bun.ConnResolver) bun.ConnResolver { return r })
}

func (b *Bind) openSessionWith(newDB func(*sql.DB, bun.ConnResolver) *bun.DB, as func(bun.ConnResolver) bun.ConnResolver) *session {
	pool := b.writer.SessionPool()
	resolver := notesResolver{as(b.router.WriterOn(pool))}
	return &session{DB: newDB(pool, resolver), pool: pool, resolver: resolver}
}

// close closes the connections. That one was broken already is no news.
func (s *session) close() { _ = s.pool.Close() }
