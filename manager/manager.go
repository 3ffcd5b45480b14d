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

	changing chan struct{}  // full while binds are added, removed and replaced; guards file
	swapping sync.Mutex     // held while other binds take the place of those there are
	file     string         // that Open has read, "" if New was called
	leaving  sync.WaitGroup // of those whose work is not done yet

	observing sync.Mutex // held while observer is called; guards it
	observer  *observer  // nil: nobody observes

	tenants *tenants // nil: there are none

	checks   sync.WaitGroup // of Checkers, under way
	checksMu sync.Mutex     // held while one begins
	closing  context.Context
	stop     context.CancelFunc // ends closing

	lags lagHistory
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
	m := &DBManager{opts: o, logger: o.logger, changing: make(chan struct{}, 1)}
	m.closing, m.stop = context.WithCancel(context.Background())
	m.close = sync.OnceValue(m.closeBinds)
	if o.tenantFunc != nil {
		m.tenants = newTenants(m, o.tenantFunc, o.tenants)
	}
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
	if m.tenants != nil {
		if b, err := m.tenants.use(m.closing, key); err == nil {
			return b.router
		}
	}
	return nil
}

// find returns the bind of a key, marker or model, see [book.find], or opens that of a tenant, as long as that may take.
func (m *DBManager) find(model any) (*Bind, error) { return m.findWithin(m.closing, model) }

// findWithin is find with a context that bounds the opening of a tenant.
func (m *DBManager) findWithin(ctx context.Context, model any) (*Bind, error) {
	b, err := m.book.Load().find(model)
	if err == nil || m.tenants == nil {
		return b, err
	}
	var unknown *binds.UnknownBindError
	if !errors.As(err, &unknown) {
		return b, err
	}
	return m.tenants.use(ctx, unknown.Key)
}

func nothing() {}

// hold returns the bind that b names, and keeps it from being closed, if it is a tenant's, until release; one that was removed while ctx carries a
// transaction on it: that can be nested.
func (m *DBManager) hold(ctx context.Context, b binds.Bound) (bind *Bind, release func(), err error) {
	if m.closed.Load() {
		return nil, nothing, ErrClosed
	}
	bind, err = m.book.Load().find(b)
	if err == nil {
		return bind, nothing, nil
	}
	var unknown *binds.UnknownBindError
	var removed *router.RemovedBindError
	switch {
	case errors.As(err, &removed) && router.InTransaction(ctx, removed.Bind):
		return bind, nothing, nil
	case m.tenants == nil, !errors.As(err, &unknown):
		return nil, nothing, err
	}
	return m.tenants.hold(ctx, unknown.Key)
}

// holdBind is hold for a bind that was found before.
func (b *Bind) hold(ctx context.Context) (bind *Bind, release func(), err error) {
	if b.tenant == nil {
		return b.now(), nothing, nil
	}
	return b.tenant.hold(ctx)
}

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
	m.changing <- struct{}{} // what changes the binds ends with closing
	all := m.book.Load().binds
	<-m.changing
	m.leaving.Wait()
	var tenants error
	if m.tenants != nil {
		tenants = m.tenants.closeAll()
	}
	return errors.Join(append(each(all, func(_ int, b *Bind) error { return b.close() }), tenants)...)
}
