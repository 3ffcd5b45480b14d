package router

import (
	"context"
	"database/sql"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/modelhome"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// Config is what a [Router] routes between.
type Config struct {
	// Key is the bind's key. An empty key stands for itself, the nameless bind.
	Key binds.Key
	// Default is the key of the bind where models without a marker live.
	Default binds.Key
	// Dialect is the bind's Bun dialect, which no other bind has: a query's parts are known by it.
	// Required.
	Dialect schema.Dialect
	// Placed is a second dialect of the bind, for Bun DBs with the resolver [Router.Placed]. Nil means that there are none.
	Placed schema.Dialect
	// Writer is the bind's writer. Required.
	Writer *binds.Engine
	// Readers are the bind's readers; without any the writer serves the reads.
	Readers []*Reader
	// Policy picks a reader for each read. Nil means [LeastLoaded].
	Policy Policy
	// WriterFunctions are globs of the user's own SQL functions that write: "charge_*".
	WriterFunctions []string
	// NoFallback makes a read fail with [ErrNoReader] where no reader can serve it, instead of
	// running on the writer.
	NoFallback bool
	// FallbackLimit is how many plain reads a second may go to the writer because no reader is up and fresh enough, so that readers that are
	// gone do not take the primary down. One more waits for its turn, a second at most, and fails then with an [ErrNoReader], see
	// [FallbackLimitError]. Zero or less means that there is no limit. It does not bound writes, transactions, reads with [OnWriter], and those of a bind without readers.
	FallbackLimit int
	// Peer finds the router of another bind, for has-many relations across binds. Nil, or a nil
	// result, means that there is none.
	Peer func(binds.Key) *Router
	// Freshness says how fresh reads must be.
	Freshness Freshness
	// Succeeds is the bind's router before its configuration changed, nil if there was none. Sessions, tokens, transactions and counts go on
	// with the new one, which takes over by [Router.TakeOver]. Its dialect may be the same one, then.
	Succeeds *Router
	// Reopen opens the bind's servers again after [Router.Suspend], and returns the router that has taken over: for a statement that comes then, which
	// waits for it with its context, and for a session's token. It must be safe for concurrent use. Nil means that the bind is never suspended.
	Reopen func(context.Context) (*Router, error)
	// Logger is told what happens to the bind's servers. Nil means slog.Default().
	Logger *slog.Logger
}

// A Router sends each statement of one bind to an engine. It is safe for concurrent use.
//
// Its resolvers are given to the bind's Bun DBs: [Router.Routed], [Router.WriterOnly],
// [Router.ReaderOnly], [Router.On].
type Router struct {
	// What every read looks at stands together: that is one line of the processor's cache.
	view atomic.Pointer[view]
	*line
	monitor  *monitor // nil where there is nothing to look at
	kinds    *sqlkind.Classifier
	writerDB *sql.DB     // writer's
	reads    atomic.Bool // a read asked for a reader since the monitor's last look
	whose    whose       // fresh.ReadYourWrites
	// leastLoaded says that policy is that: called as what it is, it costs less.
	leastLoaded bool

	key      binds.Key
	dialect  schema.Dialect
	writer   *binds.Engine
	held     *holding       // of the writer's connections
	hooked   *bun.DB        // by which transactions begin on the writer, nil: by nobody's hooks
	readers  []*Reader      // those of the configuration, and standby
	reveals  binds.Revealer // nil where replicas show nothing before the primary
	standby  *Reader        // the writer's server while that is a replica; nil where that cannot be told
	cautious cautious
	refusals refusals
	policy   Policy
	strict   bool    // NoFallback
	budget   *budget // of FallbackLimit; nil: there is none
	logger   *slog.Logger

	succeeds    *Router     // whose place it is to take; nil: nobody's, or it has. line.mu guards it once r is open
	succeeded   bool        // there was one
	suspended   atomic.Bool // see Suspend
	ended       bool        // it was the last of its line and is closed; line.mu guards it
	yielded     atomic.Bool // see Yields
	former      revealed    // for all readers of that one and those before
	fresh       Freshness
	sharing     sync.Mutex // held while publishShared works
	shared      bool       // all engines see one copy of the data
	writerLease lease
	asking      chan struct{}          // held by who asks the writer for its position, for a token
	answer      atomic.Pointer[sample] // the latest to that
	writerConns conns
	address     address      // the writer's
	refusedAt   atomic.Int64 // when the log told that the writer refuses writes, 0 if it never did
	home        home

	routed, writerOnly, readerOnly, placed resolver

	declared       *modelhome.Bind // of the dialect
	placedDialect  schema.Dialect  // nil: there is none
	declaredPlaced *modelhome.Bind // of that
	forget         func()          // both
}

// New returns the router of one bind, which begins to watch the engines of cfg: they must not have
// been used yet. The error names the glob of WriterFunctions that is wrong. Close the router before
// its engines.
func New(cfg Config) (*Router, error) {
	kinds, err := sqlkind.New(cfg.Dialect.Name(), cfg.WriterFunctions...)
	if err != nil {
		return nil, err
	}
	r := &Router{
		key:     cfg.Key,
		dialect: cfg.Dialect,
		writer:  cfg.Writer, writerDB: cfg.Writer.DB(),
		readers: cfg.Readers,
		policy:  cfg.Policy,
		kinds:   kinds,
		strict:  cfg.NoFallback,
		budget:  newBudget(cfg.FallbackLimit),
		home:    home{key: cfg.Key, defaultBind: cfg.Default, tables: cfg.Dialect.Tables(), peer: cfg.Peer},
		logger:  cfg.Logger,
		fresh:   cfg.Freshness.WithDefaults(),
		asking:  make(chan struct{}, 1),
		address: newAddress(),

		succeeds: cfg.Succeeds, succeeded: cfg.Succeeds != nil,
		placedDialect: cfg.Placed,
	}
	if r.succeeds != nil {
		r.line = r.succeeds.line
	} else {
		r.line = newLine(cfg.Reopen)
	}
	if r.policy == nil {
		r.policy = LeastLoaded{}
	}
	if r.logger == nil {
		r.logger = slog.Default()
	}
	r.held = newHolding(r.writer, r.logger)
	for i, reader := range r.readers {
		reader.place = i
		reader.held = newHolding(reader.engine, r.logger)
	}
	_, r.leastLoaded = r.policy.(LeastLoaded)
	r.refusals.dialect = r.dialect.Name()
	r.whose = r.fresh.whose()
	r.routed = newResolver(r, anywhere)
	r.writerOnly = newResolver(r, writerOnly)
	r.readerOnly = newResolver(r, readerOnly)
	r.placed = newResolver(r, anywhere)
	r.placed.everything = true
	r.former.turn = make(chan struct{}, 1)
	r.declared = &modelhome.Bind{Key: string(r.key), CheckModel: r.livesHere, CheckQuery: r.CheckQuery}
	r.declaredPlaced = &modelhome.Bind{Key: string(r.key), Placed: true,
		CheckModel: func(reflect.Type) error { return nil }, CheckQuery: r.CheckPlaced}
	r.forget = func() {}
	if r.succeeds == nil {
		r.declare()
		r.latest.Store(r)
	}
	r.watch()
	r.addPools()
	r.enter(r)
	return r, nil
}

// declare makes known that the Bun DBs with the dialects are the bind's.
func (r *Router) declare() {
	forget, forgetPlaced := modelhome.Declare(r.dialect, r.declared), func() {}
	if r.placedDialect != nil {
		forgetPlaced = modelhome.Declare(r.placedDialect, r.declaredPlaced)
	}
	r.forget = func() { forget(); forgetPlaced() }
}

// watch makes the first view and hooks into the engines' connections.
func (r *Router) watch() {
	v := &view{up: r.readers, replaced: make(chan struct{})}
	r.reveals, _ = r.writer.Driver().(binds.Revealer)
	r.shared = r.writer.Storage() != ""
	for _, reader := range r.readers {
		r.shared = r.shared && reader.engine.Storage() == r.writer.Storage()
	}
	if r.shared {
		r.watchShared()
	} else {
		r.watchWriter(r.writer)
	}
	if r.shared || len(r.readers) == 0 {
		r.publishShared()
		r.reads.Store(true) // for good: there is nobody to tell
		return
	}
	if r.fresh.MaxLag < 0 { // until more is known, all serve what needs no freshness
		v.fit, v.horizons = r.readers, make([]time.Duration, len(r.readers))
		for _, reader := range r.readers {
			v.leases = append(v.leases, reader.lease.Load())
		}
		v.order(r.readers)
	}
	r.view.Store(v)
	r.addStandby()
	r.monitor = newMonitor(r, r.fresh)
	for _, reader := range r.readers {
		r.watchReader(reader)
	}
}

// addPools notes the pools of the engines.
func (r *Router) addPools() {
	r.pools.Store(r.writer.DB(), true)
	for _, reader := range r.readers {
		r.pools.Store(reader.engine.DB(), true)
	}
}

// Start begins to look at the servers, which the first read does otherwise, and waits until every
// reader has been asked once, or ctx ends.
func (r *Router) Start(ctx context.Context) {
	if r.monitor == nil {
		return
	}
	r.monitor.begin()
	select {
	case <-ctx.Done():
	case <-r.monitor.asked:
	}
}

// Close ends the looking at servers and waits for it. Statements still run after it, but what is
// known of readers ages. It may be called again.
func (r *Router) Close() {
	if r.monitor != nil {
		r.monitor.close()
	}
	if r.standby != nil {
		r.closeOwn(r.standby.engine)
	}
	r.closeCautious()
	if !r.suspended.Load() { // builders that are held are still the bind's
		r.forget()
	}
	r.leave(r)
	r.held.close()
	for _, reader := range r.readers {
		reader.held.close()
	}
}

// closeOwn closes an engine that the router has made.
func (r *Router) closeOwn(e *binds.Engine) {
	if err := e.Close(); err != nil {
		r.logger.Warn("a connection did not close", "engine", e.Name(), "error", err)
	}
}

// Key returns the bind's key.
func (r *Router) Key() binds.Key { return r.key }

// Writer returns the bind's writer.
func (r *Router) Writer() *binds.Engine { return r.writer }

// Readers returns the bind's readers. The slice must not be modified.
func (r *Router) Readers() []*Reader {
	if r.standby != nil {
		return r.readers[:len(r.readers)-1]
	}
	return r.readers
}

// Routed returns the resolver that sends reads to readers and the rest to the writer.
func (r *Router) Routed() bun.ConnResolver { return &r.routed }

// WriterOnly returns the resolver that sends everything to the writer.
func (r *Router) WriterOnly() bun.ConnResolver { return &r.writerOnly }

// ReaderOnly returns the resolver that sends reads to readers and refuses the rest with a
// [*WriteOnReaderError].
func (r *Router) ReaderOnly() bun.ConnResolver { return &r.readerOnly }
