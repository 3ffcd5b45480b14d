package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A DBManager holds the binds of a configuration. Its query builders, New…, find the bind where a
// model lives. It is safe for concurrent use. Close it when done.
type DBManager struct {
	book   atomic.Pointer[book]
	opts   *options
	logger *slog.Logger
	closed atomic.Bool
	close  func() error

	changing sync.Mutex                  // held while binds are added, removed and replaced; guards file, former, observer
	file     string                      // that Open has read, "" if New was called
	former   []*Bind                     // that others have replaced: their pools lead on to these
	observer func(*Bind) router.Observer // see Observe; nil: nobody observes
	leaving  sync.WaitGroup              // of those whose work is not done yet

	checks   sync.WaitGroup // of Checkers, under way
	checksMu sync.Mutex     // held while one begins
	closing  context.Context
	stop     context.CancelFunc // ends closing
}

// Open reads the TOML file at path, as [LoadConfig] does, and opens its binds, as [New] does.
func Open(ctx context.Context, path string, opts ...Option) (*DBManager, error) {
	l, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	m, err := openChecked(ctx, l.cfg, newOptions(opts), l.mistakes)
	if err != nil {
		return nil, err
	}
	m.file = path
	m.watch(l)
	return m, nil
}

// New opens the binds of cfg. Every writer must answer, unless its bind is lazy; a reader that
// does not is logged. All failures are returned joined, and nothing stays open then. ctx bounds
// the opening alone.
func New(ctx context.Context, cfg *Config, opts ...Option) (*DBManager, error) {
	return openChecked(ctx, cfg, newOptions(opts), func(ctx context.Context, drivers *binds.Drivers) error {
		var errs []*ConfigError
		for _, p := range cfg.problems(ctx, drivers) {
			errs = append(errs, &ConfigError{Key: cfg.keyOf(p), Err: p.err})
		}
		return joinConfig(errs)
	})
}

// openChecked opens the binds of cfg unless there are mistakes in it. Opening reads every URI: whether one
// is wrong is asked only where something went wrong, so that all that is wrong is told at once.
func openChecked(ctx context.Context, cfg *Config, o *options, mistakes func(context.Context, *binds.Drivers) error) (*DBManager, error) {
	if mistakes(ctx, nil) != nil {
		return nil, mistakes(ctx, o.drivers)
	}
	m, err := open(ctx, cfg, o)
	var unread *binds.OpenError
	if errors.As(err, &unread) {
		if all := mistakes(ctx, o.drivers); all != nil {
			return nil, all
		}
	}
	return m, err
}

func open(ctx context.Context, cfg *Config, o *options) (*DBManager, error) {
	m := &DBManager{opts: o, logger: o.logger}
	m.closing, m.stop = context.WithCancel(context.Background())
	m.close = sync.OnceValue(m.closeBinds)
	k := newBook()
	m.book.Store(k) // for the peers; nobody else sees it before it is complete
	def := cfg.defaultKey()
	o.defaultKey = def
	var errs []error
	for i := range cfg.Binds {
		b, err := openBind(ctx, &cfg.Binds[i], m.routerOf, o, nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		k.put(b)
	}
	k.def = k.byKey[def]
	o.setBindNames(k.names())
	for _, p := range o.policies {
		if _, err := k.find(p.bound); err != nil {
			errs = append(errs, fmt.Errorf("manager: WithPolicy: %w", err))
		}
	}
	if len(errs) == 0 {
		errs = m.pingAll(ctx, k.binds, o.ready)
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, m.Close())...)
	}
	return m, nil
}

// defaultKey returns the key of the bind where models without a marker live.
func (c *Config) defaultKey() binds.Key {
	if c.Default != "" {
		return c.Default
	}
	return c.Binds[0].Key
}

// atOnce is how many binds are connected to at the same time.
const atOnce = 16

// pingAll asks the binds that are not lazy whether their servers are there, and waits for their writers up to a time.
func (m *DBManager) pingAll(ctx context.Context, list []*Bind, ready time.Duration) []error {
	return each(list, func(_ int, b *Bind) error {
		if b.config.Lazy {
			return nil
		}
		if ready > 0 {
			b.awaitWriter(ctx, m.logger, ready)
		}
		return b.ping(ctx, m.logger)
	})
}

// each calls fn for every item, several at once, and returns the errors in the items' order.
func each[T any](items []T, fn func(int, T) error) []error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = fn(i, item)
			<-slots
		})
	}
	wg.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func (m *DBManager) routerOf(key binds.Key) *router.Router {
	if b := m.book.Load().byKey[key]; b != nil {
		return b.router
	}
	return nil
}

// find returns the bind of a key, marker or model, see [book.find].
func (m *DBManager) find(model any) (*Bind, error) { return m.book.Load().find(model) }

// Bind returns the bind that b names: a marker value, a model, a plain [binds.Key]. The empty key
// is the default bind. An unknown key is a [*binds.UnknownBindError], that of a bind that was removed a
// [*router.RemovedBindError].
func (m *DBManager) Bind(b binds.Bound) (*Bind, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	bind, err := m.find(b)
	if err != nil {
		return nil, err
	}
	return bind, nil
}

// Binds returns every bind in the order of the configuration; those of [DBManager.Add] follow.
func (m *DBManager) Binds() []*Bind { return slices.Clone(m.book.Load().binds) }

// Close closes every bind. Idle connections end at once, those in use when their statement, rows or
// transaction ends; what is started after it fails. It returns all errors joined; calling it again
// waits for the first call and returns the same.
//
// An [DBManager.InTx] that is under way is not waited for: the statement that it runs ends, and so do its next ones, as long as it has its
// connection; its function's result decides whether it commits. Wait for your own work first, as http.Server.Shutdown does. Named locks
// are freed: their contexts end with [ErrLockLost].
func (m *DBManager) Close() error {
	m.closed.Store(true)
	return m.close()
}

func (m *DBManager) closeBinds() error {
	m.checksMu.Lock() // who began before has been counted
	m.stop()
	m.checksMu.Unlock()
	m.checks.Wait()
	m.changing.Lock() // what changes the binds ends with closing
	all := append(m.former, m.book.Load().binds...)
	m.changing.Unlock()
	m.leaving.Wait()
	return errors.Join(each(all, func(_ int, b *Bind) error { return b.close() })...)
}
