package router

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/bunlayout"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// mode is which engines a resolver may use.
type mode uint8

const (
	anywhere mode = iota
	writerOnly
	readerOnly
	fixed // one given pool, whatever the statement
)

// resolver is the bun.ConnResolver of one Bun DB. It checks that the query's model lives in the
// bind and answers with one of two connections made beforehand.
type resolver struct {
	router  *Router
	unknown Conn // for statements whose text must be read
	write   Conn // for builders that write by their nature
	// everything says that all models live here, see [Router.Placed].
	everything bool
}

var _ bun.ConnResolver = (*resolver)(nil)

func newResolver(r *Router, m mode) resolver {
	return resolver{
		router:  r,
		unknown: Conn{router: r, mode: m},
		write:   Conn{router: r, mode: m, writes: true},
	}
}

// On returns a resolver that checks models and relations as the others do, and runs everything on
// db, which belongs to the bind's writer. Decisions carry reason.
func (r *Router) On(db *sql.DB, reason Reason) bun.ConnResolver {
	rs := newResolver(r, fixed)
	for _, c := range []*Conn{&rs.unknown, &rs.write} {
		c.pool, c.why = db, reason
	}
	return &rs
}

// WriterOn returns a resolver that does what [Router.WriterOnly] does, on another pool of the writer's engine.
func (r *Router) WriterOn(db *sql.DB) bun.ConnResolver {
	rs := newResolver(r, writerOnly)
	rs.unknown.pool, rs.write.pool = db, db
	return &rs
}

// ReadOnlyOn returns a resolver that checks models and relations as the others do, sends reads to e,
// an engine in the role of reader on the primary of a bind without readers, and refuses the rest
// with a [*WriteOnReaderError].
func (r *Router) ReadOnlyOn(e *binds.Engine) bun.ConnResolver {
	r.watchOutsider(e, nil, nil)
	only := &view{up: []*Reader{NewReader(e, 1)}}
	rs := newResolver(r, readerOnly)
	rs.unknown.only, rs.write.only = only, only
	return &rs
}

// ResolveConn returns the connection that runs query.
func (rs *resolver) ResolveConn(ctx context.Context, query bun.Query) bun.IConn {
	if rs.router.latest.Load() != rs.router {
		if other := rs.instead(ctx); other != nil {
			return other.ResolveConn(ctx, query)
		}
	}
	m, ok := query.GetModel().(bun.TableModel)
	if ok && !rs.everything && !rs.router.home.isHot(m.Table()) {
		return rs.at(m, query)
	}
	if q, ok := query.(*bun.SelectQuery); ok && !bunlayout.SelectNests(q, m) { // the usual one
		return &rs.unknown
	}
	return rs.whole(m, query)
}

// instead returns who resolves where the bind's configuration has changed, or the bind was removed; nil if rs does all the same: on pools of
// its own, which lead on, and in a transaction that goes on.
func (rs *resolver) instead(ctx context.Context) bun.ConnResolver {
	r := rs.router
	latest := r.latest.Load()
	if latest == nil && r.reopen != nil && scopeOf(ctx).tx.of(r) == nil {
		var err error
		if latest, err = r.reopen(ctx); err != nil {
			return refusing{err}
		}
	}
	switch {
	case latest == nil && scopeOf(ctx).tx.of(r) == nil:
		return removed{r}
	case latest == nil, rs.unknown.mode == fixed, rs.unknown.pool != nil, rs.unknown.only != nil:
		return nil
	case latest != r:
		return latest.like(rs)
	}
	return nil
}

// whole returns the connection that runs query, whose model m lives in the bind or is nil. The builders
// that are parts of it must live there too.
func (rs *resolver) whole(m bun.TableModel, query bun.Query) bun.IConn {
	if bunlayout.Nests(query, m) {
		if err := rs.router.checkParts(query, rs.everything); err != nil {
			return &failedConn{err: err}
		}
	}
	return rs.conn(query)
}

// at is ResolveConn for a model that is not known to live in the bind.
func (rs *resolver) at(m bun.TableModel, query bun.Query) bun.IConn {
	r := rs.router
	peer, err := r.home.of(m)
	switch {
	case err != nil:
		return &failedConn{err: err}
	case peer == nil:
		return rs.whole(m, query)
	case peer.dialect.Name() != r.dialect.Name():
		return &failedConn{err: &CrossDialectRelationError{
			Model: m.Table().Type, Bind: r.key, Dialect: r.dialect.Name(),
			RelatedBind: peer.key, RelatedDialect: peer.dialect.Name(),
		}}
	}
	return peer.like(rs).whole(m, query)
}

// like returns the router's own resolver of the same mode as that of another bind, or of a router before.
func (r *Router) like(rs *resolver) *resolver {
	of := &r.writerOnly
	switch rs.unknown.mode {
	case anywhere:
		of = &r.routed
		if rs.everything {
			return &r.placed
		}
	case readerOnly:
		of = &r.readerOnly
	}
	if rs.everything {
		return of.placed()
	}
	return of
}

func (rs *resolver) conn(query bun.Query) bun.IConn {
	if _, ok := query.(*bun.SelectQuery); ok { // the usual ones are found without a search
		return &rs.unknown
	}
	if _, ok := query.(*bun.InsertQuery); ok {
		return &rs.write
	}
	switch query.(type) {
	case *bun.UpdateQuery, *bun.DeleteQuery, *bun.MergeQuery,
		*bun.CreateTableQuery, *bun.DropTableQuery, *bun.TruncateTableQuery,
		*bun.CreateIndexQuery, *bun.DropIndexQuery, *bun.AddColumnQuery, *bun.DropColumnQuery:
		return &rs.write
	}
	return &rs.unknown
}

// Close does nothing: the engines belong to whoever opened them.
func (rs *resolver) Close() error { return nil }

// kind says whether a reader may run the statement, and whether each server would answer it for itself.
func (c *Conn) kind(query string) (kind sqlkind.Kind, local bool) {
	if c.writes {
		return sqlkind.Write, false
	}
	kind, local = c.router.kinds.Classify(query)
	if kind == sqlkind.Read && c.mode != readerOnly && c.router.refusals.has(query) {
		return sqlkind.Write, false
	}
	return kind, local
}
