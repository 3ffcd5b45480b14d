package manager

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/router"
)

// A Bind is one named database: a primary and its replicas behind Bun DBs. It is safe for
// concurrent use. Its DBs belong to the manager: close that, not them.
//
// A Bind stays good while [DBManager.Reload] changes its configuration: what it gives then is of the new one.
type Bind struct {
	config   BindConfig // as it was opened
	place    *place
	replaced bool    // another has taken its place
	tenant   *tenant // whose bind it is; nil: it is one of the configuration

	onlyReaders bool          // fallback = "none"
	maxLag      time.Duration // negative: any

	key     binds.Key
	warned  map[*binds.Engine][]string // what was told of each engine when it was opened
	dialect schema.Dialect
	writer  *binds.Engine
	readers []*binds.Engine
	router  *router.Router
	opts    *options

	slow     bun.QueryHook // nil without slow_query
	db       *bun.DB
	writerDB func() *bun.DB
	readerDB func() *bun.DB
	nativeDB func() *bun.DB

	placedDialect schema.Dialect // of placedDB
	placedDB      func() *bun.DB // of On

	readerResolver, nativeResolver bun.ConnResolver // nil before they are used

	onlyReader atomic.Pointer[binds.Engine] // of [Bind.Reader] where the bind has no readers; nil before it is used

	schemaTurn chan struct{} // held by the call that makes tables
	locks      *lockSet

	mu     sync.Mutex // guards the rest
	extra  []func() error
	closed bool
}

// Key returns the bind's key.
func (b *Bind) Key() binds.Key { return b.key }

// String returns the bind's key.
func (b *Bind) String() string { return b.key.String() }

// Format writes the bind's key for every verb.
func (b *Bind) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(b.key.String())) }

// MarshalText returns the bind's key.
func (b *Bind) MarshalText() ([]byte, error) { return []byte(b.key.String()), nil }

// DB returns the Bun DB that routes: reads to readers, writes and locks to the writer.
//
// Bun sends what is not a query builder past the router: BeginTx, RunInTx, Conn, Prepare,
// ExecContext and QueryContext use the DB's own pool, which is the writer's. With a context that carries a
// transaction of this bind, see [DBManager.InTx], they are a *router.PastTxError.
//
// A connection whose session a statement may have changed, as sqlkind.ChangesSession tells, is closed when it is given back. While a
// bun.Conn or a transaction holds it, what was set stays.
func (b *Bind) DB() *bun.DB { return b.now().db }

// Writer returns the Bun DB whose every statement runs on the writer.
func (b *Bind) Writer() *bun.DB { return b.now().writerDB() }

// Reader returns the Bun DB whose every statement runs on a reader, transactions and connections
// included; a builder's statement that is not a plain read is a *router.WriteOnReaderError, and
// the server refuses the rest. A bind without readers gets connections to its primary that may
// only read. Its reads may be older than the caller's own writes, than what its session has read, and than
// max_lag.
func (b *Bind) Reader() *bun.DB { return b.now().readerDB() }

// Native returns the Bun DB on a second pool to the writer, whose connections are of the driver's
// own type: for what needs it, such as COPY, through bun.Conn's Raw. What the driver's package adds
// to a connection, above all the prompt end of a cancelled statement, is missing there: what statements have set in a session stays
// for its next user, and writes are not seen: report them by router.Wrote.
func (b *Bind) Native() *bun.DB { return b.now().nativeDB() }

// Router returns the bind's router, for router.Wrote.
func (b *Bind) Router() *router.Router { return b.now().router }

// Stats counts what became of the bind's statements and locks since it was opened. It is safe for concurrent use.
func (b *Bind) Stats() router.Stats {
	if b.tenant != nil {
		b = b.tenant.shown(b)
	} else {
		b = b.now()
	}
	s := b.router.Stats()
	b.locks.count(&s)
	return s
}

// WriterEngine returns the engine behind [Bind.Writer].
func (b *Bind) WriterEngine() *binds.Engine { return b.now().writer }

// ReaderEngines returns the bind's readers in the order of the configuration, none if the writer
// serves its reads.
func (b *Bind) ReaderEngines() []*binds.Engine {
	return append([]*binds.Engine(nil), b.now().readers...)
}

// Dialect returns the bind's Bun dialect.
func (b *Bind) Dialect() schema.Dialect { return b.now().dialect }

// now returns the bind as it is configured now.
func (b *Bind) now() *Bind {
	if b.tenant != nil {
		return b.tenant.bindNow(b)
	}
	return b.place.current.Load()
}

// openBind opens the engines of a bind. Nothing is connected to. Before is the bind whose place it is to take, nil if there is none.
func openBind(ctx context.Context, cfg *BindConfig, peer func(binds.Key) *router.Router, o *options, before *Bind) (*Bind, error) {
	return openBindAs(ctx, cfg, peer, o, before, tenancy{})
}

// openBindAs is openBind for a tenant's bind, too.
func openBindAs(ctx context.Context, cfg *BindConfig, peer func(binds.Key) *router.Router, o *options, before *Bind, of tenancy) (_ *Bind, err error) {
	b := &Bind{key: cfg.Key, config: *cfg, opts: o, place: placeFor(before, of.tenant), tenant: of.tenant, schemaTurn: make(chan struct{}, 1), locks: newLockSet(cfg.Locks)}
	b.place.current.CompareAndSwap(nil, b)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := b.openEngines(ctx, cfg, before); err != nil {
		return nil, err
	}
	b.warn(cfg)
	if cfg.Fallback == fallbackNone && len(b.readers) == 0 {
		return nil, &ConfigError{Key: "binds." + cfg.Key.String() + ".fallback", Err: errors.New(`"none" needs readers`)}
	}
	policy := o.policyOf[cfg.Key]
	if policy == nil {
		if policy, err = router.NewPolicy(cfg.Policy); err != nil {
			return nil, err
		}
	}
	if of.last != nil {
		before = of.last
	}
	b.setDialect(before)
	b.onlyReaders, b.maxLag = cfg.Fallback == fallbackNone, cfg.Freshness.MaxLag
	if b.maxLag == 0 {
		b.maxLag = router.DefaultMaxLag
	}
	routing := router.Config{
		Key: b.key, Default: o.defaultKey, Dialect: b.dialect, Placed: b.placedDialect, Writer: b.writer,
		Policy: policy, WriterFunctions: cfg.WriterFunctions, NoFallback: cfg.Fallback == fallbackNone, FallbackLimit: cfg.FallbackLimit,
		Freshness: cfg.Freshness, Peer: peer, Logger: o.logger,
	}
	if before != nil {
		routing.Succeeds = before.router
	}
	if of.tenant != nil {
		routing.Reopen = of.tenant.router
	}
	for i, e := range b.readers {
		weight := 1
		if i < len(cfg.Readers) {
			weight = cfg.Readers[i].Weight
		}
		routing.Readers = append(routing.Readers, router.NewReader(e, weight))
	}
	if b.router, err = router.New(routing); err != nil {
		return nil, &ConfigError{Key: "binds." + cfg.Key.String() + ".writer_functions", Err: err}
	}
	if cfg.SlowQuery > 0 {
		b.slow = b.router.SlowHook(cfg.SlowQuery)
	}
	pool := b.pool()
	b.db = b.newDB(pool, b.resolver((*router.Router).Routed))
	b.router.HookBy(b.db, func(pool *sql.DB) *bun.DB { return b.newDB(pool, b.router.Routed()) })
	b.placedDB = sync.OnceValue(func() *bun.DB { return b.newPlacedDB(pool, b.resolver((*router.Router).Placed)) })
	b.writerDB = sync.OnceValue(func() *bun.DB { return b.newDB(pool, b.resolver((*router.Router).WriterOnly)) })
	b.readerDB = sync.OnceValue(b.openReaderDB)
	b.nativeDB = sync.OnceValue(b.openNativeDB)
	return b, nil
}

// setDialect gives the bind its dialects: those of the bind before, if they will do.
func (b *Bind) setDialect(before *Bind) {
	if before != nil && before.writer.Driver() == b.writer.Driver() && slices.EqualFunc(before.config.CursorKeys, b.config.CursorKeys, models.CursorKey.Equal) {
		b.dialect, b.placedDialect = before.dialect, before.placedDialect // which hold what is known of models: a query of before is one of now
		return
	}
	b.dialect = models.WithFieldTypes(b.writer.Driver().Dialect(), models.CursorKeys(b.config.CursorKeys...))
	b.placedDialect = b.dialect.(interface{ Twin() schema.Dialect }).Twin()
}

// pool returns the pool of the bind's Bun DBs, for what Bun does not route.
func (b *Bind) pool() *sql.DB {
	if b.tenant != nil {
		return b.tenant.pool(b)
	}
	return b.router.Pool(b.place.fronts.openWriter)
}

// resolver returns the one of the bind's router that of names; of a tenant, that of whatever router it has by then.
func (b *Bind) resolver(of func(*router.Router) bun.ConnResolver) bun.ConnResolver {
	if b.tenant == nil {
		return of(b.router)
	}
	return &tenantResolver{b.tenant, func(b *Bind) bun.ConnResolver { return of(b.router) }}
}

func (b *Bind) openEngines(ctx context.Context, cfg *BindConfig, before *Bind) (err error) {
	name := cfg.Key.String()
	writer, readers := b.place.enginesBefore()
	succeeding := func(i int) binds.OpenOption {
		if i < len(readers) {
			return binds.Succeeding(readers[i])
		}
		return binds.Succeeding(nil)
	}
	var same *binds.Engine
	if before != nil && before.config.PasswordFile != cfg.PasswordFile {
		before = nil // what is open has a password of its own
	}
	if before != nil && before.config.Writer.Equal(cfg.Writer) {
		same = before.writer
	}
	b.writer, err = b.openEngine(ctx, same, name+"/writer", cfg.Writer, binds.WithPool(cfg.Pool), binds.Succeeding(writer))
	if err != nil {
		return err
	}
	for i, r := range cfg.Readers {
		same = nil
		if before != nil && i < len(before.config.Readers) && before.config.Readers[i].URI.Equal(r.URI) {
			same = before.readers[i]
		}
		e, err := b.openEngine(ctx, same, fmt.Sprintf("%s/reader-%d", name, i+1), r.URI, binds.As(binds.Reader), binds.WithPool(cfg.Pool), succeeding(i))
		if err != nil {
			return err
		}
		b.readers = append(b.readers, e)
		if e.Driver() != b.writer.Driver() {
			return &ConfigError{Key: fmt.Sprintf("binds.%s.readers.%d", name, i),
				Err: fmt.Errorf("a reader on %s cannot follow a writer on %s", e.Driver().Name(), b.writer.Driver().Name())}
		}
	}
	if len(b.readers) == 0 && b.writer.SplitsRoles() {
		b.readers = append(b.readers, b.sibling(cfg.Pool, succeeding(0)))
	}
	return nil
}

// openEngine opens an engine at a URI, or beside the engine that is open there already: they share what a database in memory is.
func (b *Bind) openEngine(ctx context.Context, same *binds.Engine, name string, uri binds.URI, opts ...binds.OpenOption) (*binds.Engine, error) {
	opts = append(opts, b.passwordOf(name, uri))
	if same != nil {
		return same.Sibling(name, opts...), nil
	}
	return b.opts.drivers.Open(ctx, name, uri.Reveal(), opts...)
}

// sibling opens a reader on the writer's own server, to take the place of another one, if there is one.
func (b *Bind) sibling(pool binds.Pool, succeeding binds.OpenOption) *binds.Engine {
	return b.writer.Sibling(b.key.String()+"/reader-1", binds.As(binds.Reader), binds.WithPool(pool), succeeding)
}

func (b *Bind) newDB(pool *sql.DB, resolver bun.ConnResolver) *bun.DB {
	db := b.newDBWithoutGuard(pool, resolver)
	if b.opts.guard {
		db = db.WithQueryHook(b.router.Guard()) // the last: who replaces the context would undo it
	}
	return db
}

// newPlacedDB is newDB for queries of which it was said that they run in this bind.
func (b *Bind) newPlacedDB(pool *sql.DB, resolver bun.ConnResolver) *bun.DB {
	db := b.newDBOf(b.placedDialect, pool, resolver)
	if b.opts.guard {
		db = db.WithQueryHook(b.router.GuardPlaced())
	}
	return db
}

// refusing returns a Bun DB with which everything fails with err.
func (b *Bind) refusing(err error) *bun.DB {
	pool := sql.OpenDB(refusing{b.writer.Connector().Driver(), err})
	db := bun.NewDB(pool, b.dialect, bun.WithConnResolver(router.Refuse(err)))
	runtime.AddCleanup(db, func(pool *sql.DB) { _ = pool.Close() }, pool) // it has no connection; nobody else closes it
	return db
}

func (b *Bind) newDBWithoutGuard(pool *sql.DB, resolver bun.ConnResolver) *bun.DB {
	return b.newDBOf(b.dialect, pool, resolver)
}

func (b *Bind) newDBOf(d schema.Dialect, pool *sql.DB, resolver bun.ConnResolver) *bun.DB {
	db := bun.NewDB(pool, d, append(b.opts.bun[:len(b.opts.bun):len(b.opts.bun)], bun.WithConnResolver(resolver))...)
	for _, h := range b.opts.hooks {
		db = db.WithQueryHook(h)
	}
	if b.slow != nil {
		db = db.WithQueryHook(b.slow)
	}
	return db
}

// openReaderDB opens what [Bind.Reader] returns: a pool that spreads over the readers, or, without any, connections to the primary that
// may only read.
func (b *Bind) openReaderDB() *bun.DB {
	b.readerResolver = b.router.ReaderOnly()
	var own *sql.DB
	if len(b.readers) == 0 {
		e, resolver := b.openOnlyReader()
		if e == nil {
			return b.now().readerDB()
		}
		own, b.readerResolver = e.DB(), resolver
	}
	switch {
	case b.tenant != nil:
		return b.newDB(b.tenant.readerPool(b), &tenantResolver{b.tenant, func(b *Bind) bun.ConnResolver {
			b.readerDB() // which makes it
			return b.readerResolver
		}})
	case own != nil:
		return b.newDB(own, b.readerResolver)
	}
	return b.newDB(b.place.fronts.openReader(b.key.String()+"/readers", &presentReader{b.place}, b.readers[0].Pool()), b.readerResolver)
}

// openOnlyReader opens the engine of [Bind.Reader] of a bind without readers; nil if another bind has taken b's place meanwhile.
func (b *Bind) openOnlyReader() (*binds.Engine, bun.ConnResolver) {
	p := b.place
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.replaced {
		return nil, nil
	}
	before := p.only
	e := b.sibling(b.writer.Pool(), binds.Succeeding(before))
	resolver := b.router.ReadOnlyOn(e)
	if before != nil {
		e.TakeOver()
		b.keep(before.Close)
	}
	if b.tenant == nil {
		p.only = e
	}
	b.onlyReader.Store(e)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = e.Close() // it is empty
	}
	return e, resolver
}

func (b *Bind) openNativeDB() *bun.DB {
	if b.tenant != nil {
		pool := b.tenant.nativePool(b)
		b.nativeResolver = b.router.On(pool, router.NativeDB)
		return b.newDB(pool, &tenantResolver{b.tenant, func(b *Bind) bun.ConnResolver {
			b.nativeDB() // which makes it
			return b.nativeResolver
		}})
	}
	pool, err := b.writer.Native()
	if err != nil {
		pool = b.writer.DB() // closed: every use says so
	}
	return b.newDB(pool, b.router.On(pool, router.NativeDB))
}

// keep notes what close must close besides the engines, and closes it at once if the bind is closed.
func (b *Bind) keep(closer func() error) {
	b.mu.Lock()
	closed := b.closed
	b.extra = append(b.extra, closer)
	b.mu.Unlock()
	if closed {
		_ = closer() // the bind's own close has returned; what it would have joined is lost
	}
}

func (b *Bind) engines() []*binds.Engine {
	if b.writer == nil {
		return b.readers
	}
	return append([]*binds.Engine{b.writer}, b.readers...)
}

// allEngines returns also the one of [Bind.Reader].
func (b *Bind) allEngines() []*binds.Engine {
	list := b.engines()
	if e := b.onlyReader.Load(); e != nil {
		list = append(list, e)
	}
	return list
}

func (b *Bind) close() error {
	b.locks.closeAll()
	if b.router != nil {
		b.router.Close()
	}
	errs := b.closeExtra()
	if b.place.current.Load() == b {
		errs = append(errs, b.place.close())
	}
	for _, e := range b.allEngines() {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

func (b *Bind) closeExtra() (errs []error) {
	b.mu.Lock()
	extra := b.extra
	b.extra, b.closed = nil, true
	b.mu.Unlock()
	for _, closer := range extra {
		errs = append(errs, closer())
	}
	return errs
}

// pingWriter asks the writer alone.
func (b *Bind) pingWriter(ctx context.Context) error {
	err := b.writer.Ping(ctx)
	if errors.Is(err, router.ErrWriterIsReplica) { // in the middle of a failover: reads go on, and the router says so
		err = nil
	}
	return err
}

// ping asks every engine for a sign of life. An unreachable writer is an error, an unreachable
// reader a warning; so is a writer whose server is a replica.
func (b *Bind) ping(ctx context.Context, log *slog.Logger) error {
	err := b.pingWriter(ctx)
	for _, r := range b.readers {
		if err := r.Ping(ctx); err != nil {
			log.Warn("reader cannot be reached", "engine", r.Name(), "error", err)
		}
	}
	if err == nil {
		b.router.Start(ctx)
	}
	for _, e := range b.engines() {
		if pooler := e.Pooler(); pooler != "" {
			log.Info("engine is reached through a pooler", "engine", e.Name(), "pooler", pooler)
		}
	}
	return err
}
