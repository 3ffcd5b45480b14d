package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/models"
	"github.com/bindery-go/bindery/router"
)

var (
	// ErrNoFile reports a [DBManager.Reload] of a manager that no file was read for.
	ErrNoFile = errors.New("manager: reload: the manager was made by New, from no file: use Add and Remove")
	// ErrDefaultBind reports what would change where models without a marker live: their queries would go to another database.
	ErrDefaultBind = errors.New("manager: the default bind stays what it is while the program runs: restart it")
)

// A BindExistsError reports a [DBManager.Add] of a key that the manager has.
type BindExistsError struct{ Key binds.Key }

func (e *BindExistsError) Error() string {
	return fmt.Sprintf("manager: add: there is a bind %q: remove it first, or change the file and reload", e.Key.String())
}

// Add opens one more bind, as [New] does, and returns it. From then on models that live there can be used. Mistakes in cfg, and a writer that does
// not answer, are errors, and nothing is added; a key that the manager has is a [*BindExistsError]. ctx bounds the opening alone. A later
// [DBManager.Reload] removes the bind, unless the file has it. It is safe for concurrent use.
func (m *DBManager) Add(ctx context.Context, cfg BindConfig) (*Bind, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	if err := m.problemsOf(ctx, cfg); err != nil {
		return nil, err
	}
	ctx, done, err := m.change(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	k := m.book.Load()
	if k.byKey[cfg.Key] != nil || m.tenants != nil && m.tenants.isOpen(cfg.Key) {
		return nil, &BindExistsError{Key: cfg.Key}
	}
	opened, err := m.openAll(ctx, []BindConfig{cfg})
	if err != nil {
		return nil, err
	}
	m.observe(opened[0])
	k = k.copy()
	k.put(opened[0])
	m.turnTo(k)
	m.logger.Info("bind added", "bind", cfg.Key.String())
	return opened[0], nil
}

func (m *DBManager) problemsOf(ctx context.Context, cfg BindConfig) error {
	of := &Config{Binds: []BindConfig{cfg}}
	var errs []*ConfigError
	for _, p := range of.problems(ctx, m.opts.drivers) {
		errs = append(errs, &ConfigError{Key: of.keyOf(p), Err: p.err})
	}
	return joinConfig(errs)
}

// Remove closes a bind while the program runs. Nothing new begins on it: that is a [*router.RemovedBindError], also for who holds the
// bind or one of its Bun DBs. Statements, rows, transactions and named locks that are under way end as they would; a transaction that a context
// carries can go on with further statements. What has not ended after [WithDrain]'s time is broken off. Remove returns when all is
// closed, with the errors of that; if ctx ends before, it returns its error, and the rest goes on. The default bind cannot be removed: [ErrDefaultBind].
//
// A tenant of [WithTenants] is closed as soon as nobody uses it; until then what begins on it goes on. After WithDrain's time, what uses it is broken off. Its next use
// opens it again, and asks for its configuration. One that is not open is left as it is.
//
// It is safe for concurrent use.
func (m *DBManager) Remove(ctx context.Context, b binds.Bound) error {
	if m.closed.Load() {
		return ErrClosed
	}
	if t := m.tenantOf(b); t != nil {
		return m.tenants.remove(ctx, t)
	}
	drained, err := m.remove(ctx, b)
	if err != nil {
		return err
	}
	select {
	case err = <-drained:
		return err
	case <-ctx.Done():
		return fmt.Errorf("manager: remove: what had begun has not ended yet: %w", ctx.Err())
	}
}

func (m *DBManager) remove(ctx context.Context, b binds.Bound) (drained chan error, err error) {
	_, done, err := m.change(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	k := m.book.Load()
	bind, err := k.find(b)
	switch {
	case err != nil:
		return nil, err
	case bind == k.def:
		return nil, ErrDefaultBind
	}
	k = k.copy()
	k.remove(bind)
	m.turnTo(k)
	return m.leaveFor(bind, nil), nil
}

// Reload reads the file again that [Open] has read, and has the binds be as it says. What is the same stays untouched. A bind that has
// changed is opened beside the one of before, and takes its place once its writer answers; new ones are added, and those that are gone are
// removed, as [DBManager.Remove] does, without waiting for what has begun on them. Engines that are used no more are drained in the background: statements,
// rows, transactions and named locks end as they would, within [WithDrain]'s time.
//
// Sessions, tokens, the binds and the Bun DBs that a program holds go on: their next statement goes where the file says now. A *sql.DB
// taken from an engine goes on too, with the bounds of now. Nothing of the engines of before is left once they are drained.
//
// A file with a mistake, or a new writer that does not answer, changes nothing; all mistakes are in the error, with their lines. What cannot
// change is the default bind ([ErrDefaultBind]). For a manager of [New] the error is [ErrNoFile]. ctx bounds the opening. It is safe for
// concurrent use; see [Watch] for doing it on a change of the file.
func (m *DBManager) Reload(ctx context.Context) error {
	if m.closed.Load() {
		return ErrClosed
	}
	if m.file == "" {
		return ErrNoFile
	}
	ctx, done, err := m.change(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := regular(m.file); err != nil { // a pipe gives its content once
		return fmt.Errorf("manager: reload: %w", err)
	}
	l, err := readConfig(m.file) // now: what waited for its turn must not undo what has been read since
	if err != nil {
		return err
	}
	if err := l.mistakes(ctx, m.opts.drivers); err != nil {
		return err
	}
	return m.follow(ctx, l.cfg)
}

// follow has the binds be as cfg says.
func (m *DBManager) follow(ctx context.Context, cfg *Config) error {
	k := m.book.Load()
	if cfg.defaultKey() != k.def.key {
		return fmt.Errorf("%w (%q, and %q in the file)", ErrDefaultBind, k.def.key.String(), cfg.defaultKey().String())
	}
	var changed []BindConfig
	for _, b := range cfg.Binds {
		if before := k.byKey[b.Key]; before == nil || !before.config.equal(&b) {
			changed = append(changed, b)
		}
	}
	opened, err := m.openAll(ctx, changed)
	if err != nil {
		return err
	}
	next := k.copy()
	var added, replaced, removed []string
	for _, b := range opened {
		list := &added
		if next.byKey[b.key] != nil {
			list = &replaced
		} else {
			m.observe(b)
		}
		*list = append(*list, b.key.String())
		next.put(b)
	}
	for _, b := range k.binds {
		if !slices.ContainsFunc(cfg.Binds, func(c BindConfig) bool { return c.Key == b.key }) {
			next.remove(b)
			removed = append(removed, b.key.String())
		}
	}
	slices.SortStableFunc(next.binds, func(a, b *Bind) int { return cfg.placeOf(a.key) - cfg.placeOf(b.key) })
	m.replace(k, next, opened)
	for _, b := range k.binds {
		if after := next.byKey[b.key]; after != b {
			m.leaveFor(b, after)
		}
	}
	m.logger.Info("configuration read again", slog.String("file", m.file), names("added", added), names("changed", replaced), names("removed", removed))
	return nil
}

func names(key string, list []string) slog.Attr { return slog.String(key, strings.Join(list, " ")) }

func (c *Config) placeOf(key binds.Key) int {
	return slices.IndexFunc(c.Binds, func(b BindConfig) bool { return b.Key == key })
}

// change begins a change of the binds, which takes turns with others and ends with the manager.
func (m *DBManager) change(ctx context.Context) (_ context.Context, done func(), err error) {
	select {
	case m.changing <- struct{}{}:
	case <-m.closing.Done():
		return nil, nil, ErrClosed
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("manager: another change of the binds is under way, and has not ended yet: %w", ctx.Err())
	}
	if m.closed.Load() {
		<-m.changing
		return nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
		<-m.changing
	}, nil
}

// openAll opens binds, each to take the place of that with its key, if there is one. If one fails none stays open.
func (m *DBManager) openAll(ctx context.Context, list []BindConfig) (opened []*Bind, err error) {
	k := m.book.Load()
	var errs []error
	for i := range list {
		b, err := openBind(ctx, &list[i], m.routerOf, m.opts, k.byKey[list[i].Key])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		opened = append(opened, b)
	}
	if len(errs) == 0 {
		errs = m.pingAll(ctx, opened, 0)
	}
	if len(errs) == 0 {
		return opened, nil
	}
	for _, b := range opened {
		errs = append(errs, b.close())
	}
	return nil, errors.Join(errs...)
}

// replace has those binds take the place of the ones with their keys.
func (m *DBManager) replace(before, after *book, opened []*Bind) {
	m.swapping.Lock()
	defer m.swapping.Unlock()
	for _, b := range opened {
		if was := before.byKey[b.key]; was != nil {
			b.drainAs(was)
			was.leadTo(b)
		}
	}
	m.turnTo(after)
}

// turnTo has queries find the binds of k.
func (m *DBManager) turnTo(k *book) {
	m.opts.setBindNames(k.names())
	m.book.Store(k)
}

// readerURI returns that of a reader; a bind without readers in its configuration has one on the writer's file.
func (b *Bind) readerURI(i int) binds.URI {
	if i < len(b.config.Readers) {
		return b.config.Readers[i].URI
	}
	return b.config.Writer
}

// equal reports whether two configurations open the same.
func (b *BindConfig) equal(o *BindConfig) bool {
	return b.Key == o.Key && b.Writer.Equal(o.Writer) && b.Policy == o.Policy && b.Fallback == o.Fallback && b.FallbackLimit == o.FallbackLimit &&
		b.SlowQuery == o.SlowQuery && b.Freshness == o.Freshness && b.Pool == o.Pool && b.Locks == o.Locks && b.Lazy == o.Lazy && b.PasswordFile == o.PasswordFile && b.keysFrom == o.keysFrom &&
		slices.EqualFunc(b.Readers, o.Readers, ReaderConfig.equal) &&
		slices.Equal(b.WriterFunctions, o.WriterFunctions) && slices.Equal(b.warnings, o.warnings) &&
		slices.EqualFunc(b.CursorKeys, o.CursorKeys, models.CursorKey.Equal)
}

func (r ReaderConfig) equal(o ReaderConfig) bool { return r.URI.Equal(o.URI) && r.Weight == o.Weight }

var _ router.Routed = (*Bind)(nil)
