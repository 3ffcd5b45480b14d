package router

import (
	"log/slog"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router/sqlkind"
)

// Config is what a [Router] routes between.
type Config struct {
	// Key is the bind's key. An empty key stands for itself, the nameless bind.
	Key binds.Key
	// Default is the key of the bind where models without a marker live.
	Default binds.Key
	// Dialect is the bind's Bun dialect. Required.
	Dialect schema.Dialect
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
	// Peer finds the router of another bind, for has-many relations across binds. Nil, or a nil
	// result, means that there is none.
	Peer func(binds.Key) *Router
	// Logger is told of readers that could not be reached. Nil means slog.Default().
	Logger *slog.Logger
}

// A Router sends each statement of one bind to an engine. It is safe for concurrent use.
//
// Its resolvers are given to the bind's Bun DBs: [Router.Routed], [Router.WriterOnly],
// [Router.ReaderOnly], [Router.On].
type Router struct {
	key     binds.Key
	dialect schema.Dialect
	writer  *binds.Engine
	readers []*Reader
	policy  Policy
	kinds   *sqlkind.Classifier
	strict  bool // NoFallback
	home    home
	logger  *slog.Logger

	routed, writerOnly, readerOnly resolver
}

// New returns the router of one bind. The error names the glob of WriterFunctions that is wrong.
func New(cfg Config) (*Router, error) {
	kinds, err := sqlkind.New(cfg.Dialect.Name(), cfg.WriterFunctions...)
	if err != nil {
		return nil, err
	}
	r := &Router{
		key:     cfg.Key,
		dialect: cfg.Dialect,
		writer:  cfg.Writer,
		readers: cfg.Readers,
		policy:  cfg.Policy,
		kinds:   kinds,
		strict:  cfg.NoFallback,
		home:    home{key: cfg.Key, defaultBind: cfg.Default, tables: cfg.Dialect.Tables(), peer: cfg.Peer},
		logger:  cfg.Logger,
	}
	if r.policy == nil {
		r.policy = LeastLoaded{}
	}
	if r.logger == nil {
		r.logger = slog.Default()
	}
	r.routed = newResolver(r, anywhere)
	r.writerOnly = newResolver(r, writerOnly)
	r.readerOnly = newResolver(r, readerOnly)
	return r, nil
}

// Key returns the bind's key.
func (r *Router) Key() binds.Key { return r.key }

// Writer returns the bind's writer.
func (r *Router) Writer() *binds.Engine { return r.writer }

// Readers returns the bind's readers. The slice must not be modified.
func (r *Router) Readers() []*Reader { return r.readers }

// Routed returns the resolver that sends reads to readers and the rest to the writer.
func (r *Router) Routed() bun.ConnResolver { return &r.routed }

// WriterOnly returns the resolver that sends everything to the writer.
func (r *Router) WriterOnly() bun.ConnResolver { return &r.writerOnly }

// ReaderOnly returns the resolver that sends reads to readers and refuses the rest with a
// [*WriteOnReaderError].
func (r *Router) ReaderOnly() bun.ConnResolver { return &r.readerOnly }
