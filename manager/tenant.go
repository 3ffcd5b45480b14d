package manager

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A tenant is one bind of them, open or not. While it is closed nobody keeps it but those who hold something of it: its Bind, a Bun DB, a
// session. So what those know of it goes on when it is opened again, and what nobody knows costs nothing.
type tenant struct {
	set     *tenants
	key     binds.Key
	current atomic.Pointer[Bind] // nil: it is closed
	used    atomic.Int64         // when it was used last, of set.now
	fronts  *fronts

	observer *observer // that its routers tell; DBManager.observing guards it

	mu      sync.Mutex    // guards the rest
	last    *Bind         // as it was before it was closed; nil: it never was
	pins    int           // calls that must not lose it
	opening *opening      // under way; nil: none
	closing chan struct{} // closed when the closing that is under way has ended; nil: none is
}

func (t *tenant) touch() { t.used.Store(t.set.now()) }

// use opens the tenant if it is closed.
func (t *tenant) use(ctx context.Context) (*Bind, error) {
	for {
		if b := t.current.Load(); b != nil {
			t.touch()
			return b, nil
		}
		o, err := t.beginOpening()
		if err != nil {
			return nil, err
		}
		select {
		case <-o.done:
		case <-ctx.Done():
			if o.waits.Load() {
				return nil, &TenantsInUseError{Key: t.key, Max: t.set.opts.max, Err: context.Cause(ctx)}
			}
			return nil, &TenantError{Key: t.key, Err: context.Cause(ctx)}
		}
		if o.err == nil {
			continue
		}
		var full *TenantsInUseError
		if _, bounded := ctx.Deadline(); !bounded || ctx.Err() != nil || !errors.As(o.err, &full) {
			return nil, o.err // else there is time left
		}
	}
}

// pin opens the tenant and keeps it open until unpin.
func (t *tenant) pin(ctx context.Context) (*Bind, error) {
	t.mu.Lock()
	t.pins++
	t.mu.Unlock()
	b, err := t.use(ctx)
	if err != nil {
		t.unpin()
	}
	return b, err
}

func (t *tenant) hold(ctx context.Context) (b *Bind, release func(), err error) {
	if b, err = t.pin(ctx); err != nil {
		return nil, nothing, err
	}
	return b, t.unpin, nil
}

func (t *tenant) unpin() {
	t.touch()
	t.mu.Lock()
	t.pins--
	t.mu.Unlock()
}

// bindNow returns the tenant's bind, opened if it is closed, as long as that may take; if it cannot be, the one that it was last: what is asked of that
// says why.
func (t *tenant) bindNow(b *Bind) *Bind {
	if now := t.current.Load(); now != nil {
		return now
	}
	if now, err := t.use(t.set.m.closing); err == nil {
		return now
	}
	return t.shown(b)
}

// router opens the tenant for a statement that has found it closed.
func (t *tenant) router(ctx context.Context) (*router.Router, error) {
	b, err := t.use(ctx)
	if err != nil {
		return nil, err
	}
	return b.router, nil
}

// shown returns the tenant's bind as it is, or was last, and does not open it.
func (t *tenant) shown(b *Bind) *Bind {
	if now := t.current.Load(); now != nil {
		return now
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil {
		return t.last
	}
	return b
}
