package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/uptrace/bun/migrate"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// DefaultAtOnce is on how many binds of a [Group] something is done at the same time, without [AtOnce].
const DefaultAtOnce = 16

// A Group is several binds on which the same is done: shards, tenants. It holds none of them open, and is safe for concurrent use.
// See [DBManager.Group].
type Group struct {
	m      *DBManager
	bounds []binds.Bound
	opts   groupOptions
}

// A GroupOption says how something is done on all binds of a [Group].
type GroupOption func(*groupOptions)

type groupOptions struct {
	atOnce   int
	progress func(done, all int, key binds.Key, err error)
}

// AtOnce bounds on how many binds something is done at the same time. Zero or less means [DefaultAtOnce].
func AtOnce(n int) GroupOption { return func(o *groupOptions) { o.atOnce = n } }

// Progress has call told of each bind that is done: how many are, of how many, which one it is, and with what error. It is called by one goroutine at
// a time, and holds up the others.
func Progress(call func(done, all int, key binds.Key, err error)) GroupOption {
	return func(o *groupOptions) { o.progress = call }
}

// BindError reports what went wrong on one bind of a [Group].
type BindError struct {
	Bind binds.Key // "" where a bound names none
	Err  error
}

func (e *BindError) Error() string {
	return fmt.Sprintf("manager: on bind %q: %v", e.Bind.String(), e.Err)
}

func (e *BindError) Unwrap() error { return e.Err }

// NotBegunError reports the binds of a [Group] on which nothing was begun, because the context had ended. It matches what Err does.
type NotBegunError struct {
	Binds []binds.Key
	Err   error // why the context ended
}

func (e *NotBegunError) Error() string {
	return fmt.Sprintf("manager: not begun on %d binds of the group, %q: %v", len(e.Binds), e.Binds, e.Err)
}

func (e *NotBegunError) Unwrap() error { return e.Err }

// Group returns the binds that bounds name, to do the same on all of them:
//
//	err := m.Group(shards, manager.AtOnce(4)).CreateTables(ctx, (*Order)(nil))
//
// What fails on one bind does not keep it from being done on the others; the errors are joined, each in a [*BindError]. When ctx
// ends nothing more is begun: a [*NotBegunError] says where.
func (m *DBManager) Group(bounds []binds.Bound, opts ...GroupOption) *Group {
	g := &Group{m: m, bounds: slices.Clone(bounds)}
	for _, opt := range opts {
		opt(&g.opts)
	}
	if g.opts.atOnce <= 0 {
		g.opts.atOnce = DefaultAtOnce
	}
	return g
}

// Each calls fn for every bind. A bind that cannot be found or opened is its error, and fn is not called. A bind that is named twice is done twice. A nil
// fn is [router.ErrNilFunc]. A tenant stays open until fn returns.
func (g *Group) Each(ctx context.Context, fn func(ctx context.Context, on On) error) error {
	if fn == nil {
		return router.ErrNilFunc
	}
	return g.each(ctx, func(ctx context.Context, _ int, b binds.Bound) error {
		bind, release, err := g.m.hold(ctx, b)
		if err != nil {
			return err
		}
		defer release()
		return fn(ctx, bind.on(g.m))
	})
}

// InTx calls fn for every bind in a transaction of its own, see [DBManager.InTx]: some are committed where others fail. [DBManager.InTxAll] has all of
// them open at once.
func (g *Group) InTx(ctx context.Context, fn func(ctx context.Context, on On) error, opts ...TxOption) error {
	if fn == nil {
		return router.ErrNilFunc
	}
	return g.Each(ctx, func(ctx context.Context, on On) error {
		return on.InTx(ctx, func(ctx context.Context) error { return fn(ctx, on) }, opts...)
	})
}

// CreateTables creates the tables of all models in every bind, see [On.CreateTables].
func (g *Group) CreateTables(ctx context.Context, models ...any) error {
	return g.Each(ctx, func(ctx context.Context, on On) error { return on.CreateTables(ctx, models...) })
}

// DropTables drops the tables of all models in every bind, see [On.DropTables].
func (g *Group) DropTables(ctx context.Context, models ...any) error {
	return g.Each(ctx, func(ctx context.Context, on On) error { return on.DropTables(ctx, models...) })
}

// each calls do for every bind, and names it in the errors.
func (g *Group) each(ctx context.Context, do func(ctx context.Context, i int, b binds.Bound) error) error {
	errs := make([]error, len(g.bounds)+1)
	var left []binds.Key
	var mu sync.Mutex // guards done
	done := 0
	slots := make(chan struct{}, g.opts.atOnce)
	var wg sync.WaitGroup
	for i, b := range g.bounds {
		key := keyOf(b)
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			left = append(left, key)
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			err := do(ctx, i, b)
			if err != nil {
				errs[i] = &BindError{Bind: key, Err: err}
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; g.opts.progress != nil {
				g.opts.progress(done, len(g.bounds), key, err)
			}
		})
	}
	wg.Wait()
	if len(left) > 0 {
		errs[len(g.bounds)] = &NotBegunError{Binds: left, Err: context.Cause(ctx)}
	}
	return errors.Join(errs...)
}

// keyOf returns the key that b names, "" if it names none.
func keyOf(b binds.Bound) binds.Key {
	key, err := binds.KeyOf(b)
	if err != nil {
		return ""
	}
	return key
}

// A GroupMigrator runs the same migrations on every bind of a [Group]. Each bind has its own notes of what is applied.
type GroupMigrator struct {
	group      *Group
	migrations *migrate.Migrations
	opts       []MigratorOption
}

// Migrator returns a migrator of every bind, see [On.Migrator].
func (g *Group) Migrator(migrations *migrate.Migrations, opts ...MigratorOption) *GroupMigrator {
	return &GroupMigrator{g, migrations, opts}
}

// Up runs [Migrator.Up] on every bind. What each has run is in the order of the binds; an empty group where it failed before that, or was not begun.
func (m *GroupMigrator) Up(ctx context.Context, opts ...MigrateOption) ([]*migrate.MigrationGroup, error) {
	return m.run(ctx, func(ctx context.Context, g *Migrator) (*migrate.MigrationGroup, error) { return g.Up(ctx, opts...) })
}

// Down runs [Migrator.Down] on every bind.
func (m *GroupMigrator) Down(ctx context.Context, opts ...MigrateOption) ([]*migrate.MigrationGroup, error) {
	return m.run(ctx, func(ctx context.Context, g *Migrator) (*migrate.MigrationGroup, error) { return g.Down(ctx, opts...) })
}

// Status runs [Migrator.Status] on every bind. It is nil for one that failed.
func (m *GroupMigrator) Status(ctx context.Context) ([]*MigrationStatus, error) {
	return ofEach(ctx, m, (*Migrator).Status)
}

func (m *GroupMigrator) run(ctx context.Context, do func(context.Context, *Migrator) (*migrate.MigrationGroup, error)) ([]*migrate.MigrationGroup, error) {
	list, err := ofEach(ctx, m, func(g *Migrator, ctx context.Context) (*migrate.MigrationGroup, error) { return do(ctx, g) })
	for i := range list {
		if list[i] == nil {
			list[i] = new(migrate.MigrationGroup)
		}
	}
	return list, err
}

func ofEach[T any](ctx context.Context, m *GroupMigrator, do func(*Migrator, context.Context) (T, error)) ([]T, error) {
	list := make([]T, len(m.group.bounds))
	err := m.group.each(ctx, func(ctx context.Context, i int, b binds.Bound) (err error) {
		list[i], err = do(m.group.m.OnContext(ctx, b).Migrator(m.migrations, m.opts...), ctx)
		return err
	})
	return list, err
}

// A GroupLock is a named lock that this process holds on every bind of a [Group]. It is safe for concurrent use.
type GroupLock struct {
	locks []*Lock
	ctx   context.Context
	end   context.CancelFunc
}

// Lock takes the lock called name on every bind, one after the other in the order of their keys, so that two who lock the same binds do not wait for
// each other in a circle. Opts hold for each of them. If one is not to be had, those before it are freed, and its error is returned in a [*BindError]. A bind that
// is named twice is a [*router.DuplicateBindError]. [AtOnce] does not count here. Tenants stay open while they are locked: [Max] must allow that.
func (g *Group) Lock(ctx context.Context, name string, opts ...LockOption) (*GroupLock, error) {
	sorted := slices.SortedStableFunc(slices.Values(g.bounds), func(a, b binds.Bound) int { return strings.Compare(string(g.keyOf(a)), string(g.keyOf(b))) })
	for i := range sorted {
		if i > 0 && g.keyOf(sorted[i]) == g.keyOf(sorted[i-1]) {
			return nil, &router.DuplicateBindError{Bind: g.keyOf(sorted[i])}
		}
	}
	all := new(GroupLock)
	for i, b := range sorted {
		l, err := g.m.Lock(ctx, b, name, opts...)
		if g.opts.progress != nil {
			g.opts.progress(i+1, len(sorted), g.keyOf(b), err)
		}
		if err != nil {
			return nil, errors.Join(&BindError{Bind: g.keyOf(b), Err: err}, all.unlock())
		}
		all.locks = append(all.locks, l)
	}
	all.watch(ctx)
	return all, nil
}

// keyOf is keyOf with the default bind's own key for the empty one.
func (g *Group) keyOf(b binds.Bound) binds.Key { return cmp.Or(keyOf(b), g.m.opts.defaultKey) }

// WithLock calls fn while it holds a lock on every bind, as [Group.Lock] takes it, and frees them when fn returns or panics. The context that fn gets is
// [GroupLock.Context]. See [DBManager.WithLock].
func (g *Group) WithLock(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...LockOption) (err error) {
	if fn == nil {
		return router.ErrNilFunc
	}
	l, err := g.Lock(ctx, name, opts...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Unlock()) }()
	return fn(l.Context())
}

// watch makes the context that ends with the first of the locks.
func (l *GroupLock) watch(ctx context.Context) {
	ctx, lose := context.WithCancelCause(ctx)
	stops := make([]func() bool, len(l.locks))
	for i, one := range l.locks {
		stops[i] = context.AfterFunc(one.Context(), func() { lose(context.Cause(one.Context())) })
	}
	l.ctx, l.end = ctx, func() {
		for _, stop := range stops {
			stop()
		}
		lose(nil)
	}
}

// Context returns a context that ends when one of the locks is lost, as [Lock.Context] does, and with Unlock.
func (l *GroupLock) Context() context.Context { return l.ctx }

// Locks returns the lock of each bind, in the order of their keys.
func (l *GroupLock) Locks() []*Lock { return slices.Clone(l.locks) }

// Unlock frees all locks, the last one first, and says which were lost, as [Lock.Unlock] does; joined. It may be called again, and returns the same.
func (l *GroupLock) Unlock() error {
	l.end()
	return l.unlock()
}

func (l *GroupLock) unlock() error {
	var errs []error
	for _, one := range slices.Backward(l.locks) {
		errs = append(errs, one.Unlock())
	}
	return errors.Join(errs...)
}
