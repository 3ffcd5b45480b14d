package manager

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/panicked"
)

// An opening is shared by all who want the tenant.
type opening struct {
	done  chan struct{} // closed when err is known
	err   error
	waits atomic.Bool // for another tenant to be closed
}

// beginOpening joins the opening that is under way, or begins one.
func (t *tenant) beginOpening() (*opening, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.opening != nil {
		return t.opening, nil
	}
	o := &opening{done: make(chan struct{})}
	if t.current.Load() != nil {
		close(o.done)
		return o, nil
	}
	if !t.set.work(func() { t.open(o) }) {
		return nil, ErrClosed
	}
	t.opening = o
	return o, nil
}

// open does the work of an opening.
func (t *tenant) open(o *opening) {
	s := t.set
	ctx, cancel := context.WithTimeout(s.m.closing, s.opts.within)
	defer cancel()
	o.err = t.reopen(ctx, o)
	t.mu.Lock()
	t.opening = nil
	t.mu.Unlock()
	close(o.done)
	if o.err == nil && s.opts.idle > 0 {
		s.sweeps.Do(func() { s.work(s.sweep) })
	}
}

func (t *tenant) reopen(ctx context.Context, o *opening) error {
	s := t.set
	t.mu.Lock()
	closing := t.closing
	t.mu.Unlock()
	if closing != nil {
		<-closing // it is bounded by the pools' own means
	}
	cfg, err := s.config(ctx, t.key)
	if err != nil {
		return &TenantError{Key: t.key, Err: err}
	}
	if err := s.take(ctx, t.key, o); err != nil {
		return err
	}
	t.mu.Lock()
	last := t.last
	t.mu.Unlock()
	b, err := openBindAs(ctx, &cfg, s.m.routerOf, s.m.opts, nil, tenancy{t, last})
	if err == nil && !cfg.Lazy {
		if err = b.pingWriter(ctx); err != nil { // the readers are looked at when somebody reads
			err = errors.Join(err, b.close())
		}
	}
	if err != nil {
		s.free()
		return &TenantError{Key: t.key, Err: err}
	}
	s.m.observe(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	if last != nil {
		b.router.TakeOver()
	}
	t.last = nil
	t.touch()
	t.current.Store(b)
	s.awake.Store(t.key, t)
	s.m.logger.Debug("tenant opened", "bind", t.key.String())
	return nil
}

// config asks where a tenant's database is, and whether the answer will do.
func (s *tenants) config(ctx context.Context, key binds.Key) (cfg BindConfig, err error) {
	func() {
		defer panicked.Catch(&err, "the function of WithTenants", reflect.TypeOf(s.open)) // it would end the program
		cfg, err = s.open(ctx, key)
	}()
	switch {
	case err != nil:
		return cfg, err
	case cfg.Key == "":
		cfg.Key = key
	case cfg.Key != key:
		return cfg, &ConfigError{Key: shownKey("binds", string(cfg.Key)), Err: errors.New("the function of WithTenants was asked for another key: leave BindConfig.Key empty")}
	}
	return cfg, s.m.problemsOf(ctx, cfg)
}

// A tenancy is what a bind is opened with that is a tenant's.
type tenancy struct {
	tenant *tenant
	last   *Bind // as it was before it was closed; nil: it never was
}
