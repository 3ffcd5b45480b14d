package manager

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/panicked"
	"github.com/bindery-go/bindery/router"
)

// A TenantFunc says where the database of a tenant is. It is called for a key that no bind of the configuration has, each time the tenant is
// opened, once for all who wait for that; what it returns must be right as a configuration must, its Key the one asked for, or empty. An error is that
// of whoever wanted the tenant, in a [*TenantError], and is not kept: the next one asks again. ctx ends after [OpenWithin]'s time and
// with the manager; it is nobody's own, and carries no values. It must be safe for concurrent use. It may use the manager's binds, but no tenant.
type TenantFunc func(ctx context.Context, key binds.Key) (BindConfig, error)

const (
	// DefaultMaxTenants is how many tenants are open at once, without [Max].
	DefaultMaxTenants = 100
	// DefaultTenantIdle is how long a tenant stays open that nobody uses, without [Idle].
	DefaultTenantIdle = 5 * time.Minute
	// DefaultOpenWithin is how long the opening of a tenant may take, without [OpenWithin].
	DefaultOpenWithin = 10 * time.Second
)

// A TenantOption says how many tenants [WithTenants] keeps open, and for how long.
type TenantOption func(*tenantOptions)

type tenantOptions struct {
	max          int
	idle, within time.Duration
}

// Max bounds how many tenants are open at once, those being opened and closed included. Where one more is wanted, the one that was not used for
// longest is closed; while all are in use, it waits until one is not. Zero or less means [DefaultMaxTenants].
func Max(n int) TenantOption { return func(o *tenantOptions) { o.max = n } }

// Idle closes a tenant that was not used for d. Zero means [DefaultTenantIdle]; a negative d means that tenants are closed only to make room.
func Idle(d time.Duration) TenantOption { return func(o *tenantOptions) { o.idle = d } }

// OpenWithin bounds how long the opening of a tenant may take: the call of the function, the wait for one that can be closed where [Max] are
// open, and the first answer of its writer. Zero or less means [DefaultOpenWithin].
func OpenWithin(d time.Duration) TenantOption { return func(o *tenantOptions) { o.within = d } }

// WithTenants has a manager open binds on demand: open says where the database of a key is that no bind of the configuration has. Wherever a bind is
// named such a key will do: [DBManager.On], [DBManager.Bind], InTx, Lock and the rest.
//
// A tenant is opened on first use, which waits until its writer has answered, unless its configuration is lazy; its readers are looked at when somebody
// reads. It is closed when it was not used for a while ([Idle]), or to make room for another ([Max]), and never while it
// is in use: by a statement, its rows, a transaction, a lock, a bun.Conn. Closed, it has no connections and no goroutines. A [Bind] that a program
// holds, its Bun DBs and its queries open it again by themselves, within the time of their context; so do prepared statements. What a
// session has written and read counts on after that, and its token holds; a read outside a session shows what this process has written before. A *sql.DB
// of an engine ([Bind.WriterEngine]) is closed for good: it is what is open, not the tenant.
//
// Where there is no context, as for On and Bind, the opening is bounded by [OpenWithin] alone; OnContext has one. Elsewhere both bound it.
// What is wrong with a tenant is a [*TenantError] that names it; that all are in use, a [*TenantsInUseError].
//
// [DBManager.Binds], Check, Drain and Reload are about the binds of the configuration: Reload leaves tenants as they are, and a bind of the file goes before
// a tenant of the same key. [DBManager.Tenants] lists those that are open. [DBManager.Remove] closes one, whose configuration is asked for anew when it is
// used next. A database that lives in memory is gone when its tenant is closed.
func WithTenants(open TenantFunc, opts ...TenantOption) Option {
	var t tenantOptions
	for _, opt := range opts {
		opt(&t)
	}
	if t.max <= 0 {
		t.max = DefaultMaxTenants
	}
	t.idle, t.within = cmp.Or(t.idle, DefaultTenantIdle), max(t.within, 0)
	t.within = cmp.Or(t.within, DefaultOpenWithin)
	return func(o *options) { o.tenantFunc, o.tenants = open, t }
}

// tenants are the binds that a manager opens on demand.
type tenants struct {
	m      *DBManager
	open   TenantFunc
	opts   tenantOptions
	began  time.Time
	awake  sync.Map       // binds.Key → *tenant, of those that hold a slot and are open
	works  sync.WaitGroup // openings, closings and the sweeper
	waits  chan struct{}  // held by who waits for a slot: first come, first served
	sweeps sync.Once

	mu     sync.Mutex // guards the rest
	known  map[binds.Key]weak.Pointer[tenant]
	slots  int           // taken: never more than opts.max
	freed  chan struct{} // closed when a slot comes free
	closed bool
}

func newTenants(m *DBManager, open TenantFunc, opts tenantOptions) *tenants {
	return &tenants{m: m, open: open, opts: opts, began: time.Now(), waits: make(chan struct{}, 1),
		known: make(map[binds.Key]weak.Pointer[tenant]), freed: make(chan struct{})}
}

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

// An opening is shared by all who want the tenant.
type opening struct {
	done  chan struct{} // closed when err is known
	err   error
	waits atomic.Bool // for another tenant to be closed
}

func (s *tenants) now() int64 { return int64(time.Since(s.began)) }

func (t *tenant) touch() { t.used.Store(t.set.now()) }

// get returns the tenant of a key, open or not.
func (s *tenants) get(key binds.Key) *tenant {
	if t, ok := s.awake.Load(key); ok {
		return t.(*tenant)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.known[key].Value(); t != nil {
		return t
	}
	t := &tenant{set: s, key: key, fronts: new(fronts)}
	s.known[key] = weak.Make(t)
	runtime.AddCleanup(t, s.forget, key)
	runtime.AddCleanup(t, (*fronts).close, t.fronts)
	return t
}

// forget is called when nobody holds a tenant of the key any more.
func (s *tenants) forget(key binds.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.known[key]; ok && p.Value() == nil {
		delete(s.known, key)
	}
}

// use returns the bind of a key, and opens it if it is closed.
func (s *tenants) use(ctx context.Context, key binds.Key) (*Bind, error) {
	if t, ok := s.awake.Load(key); ok {
		t := t.(*tenant)
		if b := t.current.Load(); b != nil {
			t.touch()
			return b, nil
		}
	}
	if err := validKey(key); err != nil {
		return nil, &TenantError{Key: key, Err: err}
	}
	return s.get(key).use(ctx)
}

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

// work runs fn in a goroutine that the closing of the manager waits for, unless that has begun.
func (s *tenants) work(fn func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.works.Go(fn)
	return true
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

// hold is pin for a key.
func (s *tenants) hold(ctx context.Context, key binds.Key) (b *Bind, release func(), err error) {
	if err := validKey(key); err != nil {
		return nil, nothing, &TenantError{Key: key, Err: err}
	}
	return s.get(key).hold(ctx)
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

// take waits until one more tenant may be open.
func (s *tenants) take(ctx context.Context, key binds.Key, o *opening) error {
	began := time.Now()
	full := func() error {
		return &TenantsInUseError{Key: key, Max: s.opts.max, Waited: time.Since(began), Err: context.Cause(ctx)}
	}
	if s.takeFree() {
		return nil
	}
	o.waits.Store(true)
	defer o.waits.Store(false)
	select {
	case s.waits <- struct{}{}:
		defer func() { <-s.waits }()
	case <-ctx.Done():
		return full()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wait := firstDrainPoll; ; wait = min(2*wait, maxDrainPoll) {
		s.mu.Lock()
		freed := s.freed
		s.mu.Unlock()
		if s.takeFree() || s.makeRoom() && s.takeFree() {
			return nil
		}
		timer.Reset(wait)
		select {
		case <-freed:
		case <-timer.C: // the end of a statement tells nobody
		case <-ctx.Done():
			return full()
		}
	}
}

func (s *tenants) takeFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots >= s.opts.max {
		return false
	}
	s.slots++
	return true
}

// free gives a slot back.
func (s *tenants) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots--
	close(s.freed)
	s.freed = make(chan struct{})
}

// makeRoom closes the tenant that was not used for longest of those that are not in use, and reports whether there was one.
func (s *tenants) makeRoom() bool {
	type candidate struct {
		*tenant
		used int64
	}
	var list []candidate
	for _, t := range s.list() {
		list = append(list, candidate{t, t.used.Load()})
	}
	older := func(a, b candidate) int { return cmp.Compare(a.used, b.used) }
	closed := func(c candidate) bool {
		b := c.suspend(false, 0)
		if b != nil {
			c.close(b)
		}
		return b != nil
	}
	if len(list) == 0 {
		return false
	}
	if closed(slices.MinFunc(list, older)) { // as is usual: there is no need to put thousands in order
		return true
	}
	slices.SortFunc(list, older)
	return slices.ContainsFunc(list, closed)
}

// list returns the tenants that are open.
func (s *tenants) list() (list []*tenant) {
	s.awake.Range(func(_, t any) bool {
		list = append(list, t.(*tenant))
		return true
	})
	return list
}

// suspend lets nothing begin on the tenant any more, unless it is in use or was used less than idle ago, and returns its bind, to be
// closed; nil if it does not. Force asks nothing.
func (t *tenant) suspend(force bool, idle time.Duration) *Bind {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.current.Load()
	if b == nil || t.closing != nil || !force && (t.pins > 0 || t.set.now()-t.used.Load() < int64(idle)) {
		return nil
	}
	if !force && b.locks.busy() {
		t.touch()
		return nil
	}
	t.current.Store(nil) // who comes from here on waits for t.mu
	if !b.router.Suspend(force, func() bool { return t.fronts.inUse() || b.readOnlyInUse() }) {
		t.current.Store(b)
		t.touch()
		return nil
	}
	t.closing = make(chan struct{})
	return b
}

// close closes what suspend has returned.
func (t *tenant) close(b *Bind) {
	t.fronts.closeIdle()
	if err := b.close(); err != nil {
		t.set.m.logger.Warn("tenant closed, with errors", "bind", t.key.String(), "error", err)
	} else {
		t.set.m.logger.Debug("tenant closed", "bind", t.key.String())
	}
	t.mu.Lock()
	t.last = b
	t.set.awake.CompareAndDelete(t.key, t)
	close(t.closing)
	t.closing = nil
	t.mu.Unlock()
	t.set.free()
}

const (
	minSweep = 10 * time.Millisecond
	maxSweep = 10 * time.Second
)

// sweep closes tenants that were not used for long, until the manager is closed.
func (s *tenants) sweep() {
	ticker := time.NewTicker(min(max(s.opts.idle/4, minSweep), maxSweep))
	defer ticker.Stop()
	for {
		select {
		case <-s.m.closing.Done():
			return
		case <-ticker.C:
		}
		each(s.list(), func(_ int, t *tenant) error {
			if b := t.suspend(false, s.opts.idle); b != nil {
				t.close(b)
			}
			return nil
		})
	}
}

// remove closes a tenant once nothing uses it, and after [WithDrain]'s time whatever uses it.
func (s *tenants) remove(ctx context.Context, t *tenant) error {
	drained := time.NewTimer(s.m.opts.drain)
	defer drained.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	force := s.m.opts.drain <= 0
	for wait := firstDrainPoll; t.current.Load() != nil; wait = min(2*wait, maxDrainPoll) {
		if b := t.suspend(force, 0); b != nil {
			if force {
				b.locks.closeAll()
				b.router.EndOlder()
			}
			t.close(b)
			return nil
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-drained.C:
			force = true
		case <-ctx.Done():
			return &TenantError{Key: t.key, Err: ctx.Err()}
		}
	}
	return nil
}

// isOpen reports whether the tenant of a key is open, or about to be.
func (s *tenants) isOpen(key binds.Key) bool {
	if _, ok := s.awake.Load(key); ok {
		return true
	}
	s.mu.Lock()
	t := s.known[key].Value()
	s.mu.Unlock()
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opening != nil
}

// tenantOf returns the tenant that b names, open or not: nil if a bind of the configuration has the key, or a tenant cannot have it.
func (m *DBManager) tenantOf(b binds.Bound) *tenant {
	_, err := m.book.Load().find(b)
	var unknown *binds.UnknownBindError
	if m.tenants == nil || !errors.As(err, &unknown) || validKey(unknown.Key) != nil {
		return nil
	}
	return m.tenants.get(unknown.Key)
}

// closeAll closes what is open, after the manager's closing has ended. Nothing is opened from then on.
func (s *tenants) closeAll() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.works.Wait()
	errs := each(s.list(), func(_ int, t *tenant) error {
		t.mu.Lock()
		b, closing := t.current.Load(), t.closing
		t.mu.Unlock()
		if closing != nil {
			<-closing
		}
		if b == nil {
			return nil
		}
		return b.close()
	})
	s.mu.Lock()
	known := make([]*tenant, 0, len(s.known))
	for _, p := range s.known {
		if t := p.Value(); t != nil {
			known = append(known, t)
		}
	}
	s.mu.Unlock()
	for _, t := range known {
		t.fronts.close()
	}
	return errors.Join(errs...)
}

// Tenants returns the binds of the tenants that are open, in the order of their keys: see [WithTenants]. To hold one does not keep it open.
func (m *DBManager) Tenants() []*Bind {
	if m.tenants == nil {
		return nil
	}
	var list []*Bind
	for _, t := range m.tenants.list() {
		if b := t.current.Load(); b != nil {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b *Bind) int { return strings.Compare(string(a.key), string(b.key)) })
	return list
}

// A tenancy is what a bind is opened with that is a tenant's.
type tenancy struct {
	tenant *tenant
	last   *Bind // as it was before it was closed; nil: it never was
}
