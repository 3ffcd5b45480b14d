package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A DBManager holds the binds of a configuration. Its query builders, New…, find the bind where a
// model lives. It is safe for concurrent use. Close it when done.
type DBManager struct {
	binds  []*Bind // in the order of the configuration
	byKey  map[binds.Key]*Bind
	def    *Bind // where models without a marker live
	logger *slog.Logger
	closed atomic.Bool
	homes  homes
	close  func() error

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
	return openChecked(ctx, l.cfg, newOptions(opts), l.mistakes)
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
	m := &DBManager{byKey: make(map[binds.Key]*Bind, len(cfg.Binds)), logger: o.logger}
	m.closing, m.stop = context.WithCancel(context.Background())
	m.close = sync.OnceValue(m.closeBinds)
	def := cfg.Default
	if def == "" {
		def = cfg.Binds[0].Key
	}
	for _, b := range cfg.Binds {
		o.bindNames = append(o.bindNames, b.Key.String())
	}
	var errs []error
	for i := range cfg.Binds {
		b, err := openBind(ctx, &cfg.Binds[i], def, m.routerOf, o)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.binds = append(m.binds, b)
		m.byKey[b.key] = b
	}
	m.def = m.byKey[def]
	for _, p := range o.policies {
		if _, err := m.find(p.bound); err != nil {
			errs = append(errs, fmt.Errorf("manager: WithPolicy: %w", err))
		}
	}
	if len(errs) == 0 {
		errs = m.pingAll(ctx, cfg)
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, m.Close())...)
	}
	return m, nil
}

// atOnce is how many binds are connected to at the same time.
const atOnce = 16

func (m *DBManager) pingAll(ctx context.Context, cfg *Config) []error {
	return each(m.binds, func(i int, b *Bind) error {
		if cfg.Binds[i].Lazy {
			return nil
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
	if b := m.byKey[key]; b != nil {
		return b.router
	}
	return nil
}

// find returns the bind of a key, marker or model.
func (m *DBManager) find(model any) (*Bind, error) {
	key, err := binds.KeyOf(model)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return m.def, nil
	}
	if b := m.byKey[key]; b != nil {
		return b, nil
	}
	return nil, &binds.UnknownBindError{Key: key, Known: keysOf(m.byKey)}
}

// Bind returns the bind that b names: a marker value, a model, a plain [binds.Key]. The empty key
// is the default bind. An unknown key is a [*binds.UnknownBindError].
func (m *DBManager) Bind(b binds.Bound) (*Bind, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	return m.find(b)
}

// Binds returns every bind in the order of the configuration.
func (m *DBManager) Binds() []*Bind { return slices.Clone(m.binds) }

// Close closes every bind. Idle connections end at once, those in use when their statement, rows or
// transaction ends; what is started after it fails. It returns all errors joined; calling it again
// waits for the first call and returns the same.
func (m *DBManager) Close() error {
	m.closed.Store(true)
	return m.close()
}

func (m *DBManager) closeBinds() error {
	m.checksMu.Lock() // who began before has been counted
	m.stop()
	m.checksMu.Unlock()
	m.checks.Wait()
	return errors.Join(each(m.binds, func(_ int, b *Bind) error { return b.close() })...)
}
