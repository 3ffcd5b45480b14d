package manager

import (
	"cmp"
	"context"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// A statusPage is what a [DBManager.Handler] shows.
type statusPage struct {
	m          *DBManager
	models     []any
	checker    *Checker
	migrations migrationWatch
}

// What status.json says. The names are a promise to those who read it: docs/status.md explains them.
type (
	statusJSON struct {
		At      time.Time    `json:"at"` // when the servers were asked
		OK      bool         `json:"ok"`
		Ready   bool         `json:"ready"`
		Errors  []string     `json:"errors"`
		LagStep float64      `json:"lag_step_seconds"`
		Binds   []bindStatus `json:"binds"`
		Tenants *int         `json:"tenants,omitempty"` // how many are open
		Log     []logLine    `json:"log"`               // oldest first
	}
	bindStatus struct {
		Bind       string                   `json:"bind"`
		Report     BindReport               `json:"report"`
		Engines    []engineStatus           `json:"engines"` // as in the report
		Decisions  map[router.Reason]uint64 `json:"decisions"`
		Counts     countsJSON               `json:"counts"`
		Locks      []heldLock               `json:"locks"`
		Migrations *migrationsState         `json:"migrations,omitempty"`
	}
	engineStatus struct {
		Status Status     `json:"status"`
		Pool   poolJSON   `json:"pool"`
		Lags   []*float32 `json:"lags,omitempty"` // of readers, in seconds, oldest first; null where not known
	}
	poolJSON struct {
		Max     int    `json:"max"` // 0: no bound
		InUse   int    `json:"in_use"`
		Idle    int    `json:"idle"`
		Waiting int    `json:"waiting"` // callers, now
		GaveUp  uint64 `json:"gave_up"` // callers that have waited for as long as max_wait allows
	}
	countsJSON struct {
		ToWriter         uint64 `json:"reads_to_writer"`
		FallbacksRefused uint64 `json:"fallbacks_refused"`
		Slow             uint64 `json:"slow"`
		Retried          uint64 `json:"retried"`
		Refused          uint64 `json:"refused_as_writes"`
		Unknown          uint64 `json:"outcomes_unknown"`
		PoolWaiting      int    `json:"pool_waiting"`
		PoolWaitsRefused uint64 `json:"pool_waits_refused"`
		Locks            int    `json:"lock_connections"`
		LockWaiting      int    `json:"locks_waiting"`
		LocksRefused     uint64 `json:"locks_refused"`
	}
	heldLock struct {
		Name  string    `json:"name"`
		Since time.Time `json:"since"`
	}
	migrationsState struct {
		Applied int      `json:"applied"`
		Latest  string   `json:"latest,omitempty"` // the one with the highest name that is applied
		Pending []string `json:"pending"`
		Doubted []string `json:"doubted"`
		Error   string   `json:"error,omitempty"`
	}
)

// status returns what is known, and asks the servers if that is too old.
func (p *statusPage) status(ctx context.Context) *statusJSON {
	r := p.checker.Check(ctx)
	s := &statusJSON{
		At: r.At, OK: r.Err() == nil, Ready: r.Ready() == nil, Errors: texts(r.Errs), LagStep: lagStep.Seconds(),
		Binds: []bindStatus{}, Log: p.m.opts.lines.all(),
	}
	if p.m.tenants != nil {
		n := len(p.m.Tenants())
		s.Tenants = &n
	}
	p.m.countDecisions() // of binds that were added meanwhile, too
	k := p.m.book.Load()
	migrations := p.migrations.look(ctx, k.binds)
	for i := range r.Binds {
		if b := k.byKey[r.Binds[i].Bind]; b != nil { // else it was removed meanwhile
			s.Binds = append(s.Binds, p.statusOf(b, r.Binds[i], migrations[b.key]))
		}
	}
	return s
}

// countDecisions has the binds count their decisions.
func (m *DBManager) countDecisions() {
	for _, b := range m.book.Load().binds {
		b.router.CountDecisions()
	}
}

func (p *statusPage) statusOf(b *Bind, r BindReport, migrations *migrationsState) bindStatus {
	byName := make(map[string]*binds.Engine)
	for _, e := range b.engines() {
		byName[e.Name()] = e
	}
	s := bindStatus{Bind: b.key.String(), Report: r, Decisions: b.router.Decisions(), Counts: countsOf(b.Stats()), Locks: b.locks.held(), Migrations: migrations}
	for i := range r.Engines {
		e := engineStatus{Status: r.Engines[i].Status()}
		if engine := byName[r.Engines[i].Engine]; engine != nil {
			e.Pool, e.Lags = poolOf(engine), p.m.lags.of(engine)
		}
		s.Engines = append(s.Engines, e)
	}
	return s
}

func poolOf(e *binds.Engine) poolJSON {
	stats := e.Stats()
	p := poolJSON{Max: max(stats.MaxOpenConnections, 0), InUse: stats.InUse, Idle: stats.Idle}
	p.Waiting, p.GaveUp = e.Waits()
	return p
}

func countsOf(s router.Stats) countsJSON {
	return countsJSON{
		ToWriter: s.ToWriter, FallbacksRefused: s.FallbacksRefused, Slow: s.Slow, Retried: s.Retried, Refused: s.Refused, Unknown: s.Unknown,
		PoolWaiting: s.PoolWaiting, PoolWaitsRefused: s.PoolWaitsRefused, Locks: s.Locks, LockWaiting: s.LockWaiting, LocksRefused: s.LocksRefused,
	}
}

// held returns the locks that are held, the oldest first.
func (s *lockSet) held() []heldLock {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]heldLock, 0, len(s.open))
	for l := range s.open {
		list = append(list, heldLock{l.name, l.since})
	}
	slices.SortFunc(list, func(a, b heldLock) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Name, b.Name)) })
	return list
}

// A migrationWatch asks what is applied, not too often.
type migrationWatch struct {
	files fs.FS // nil: none are shown

	mu   sync.Mutex // held while the servers are asked; guards the rest
	last map[binds.Key]*migrationsState
	at   time.Time
}

const migrationsEvery = 10 * time.Second

// look returns what was found of each bind that has migrations.
func (w *migrationWatch) look(ctx context.Context, list []*Bind) map[binds.Key]*migrationsState {
	if w.files == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil && time.Since(w.at) < migrationsEvery {
		return w.last
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	states := make([]*migrationsState, len(list))
	each(list, func(i int, b *Bind) error {
		if _, err := fs.Stat(w.files, path.Join(migrationsDir, b.key.String())); err == nil {
			states[i] = migrationsOf(ctx, w.files, b)
		}
		return nil
	})
	found := make(map[binds.Key]*migrationsState)
	for i, b := range list {
		if states[i] != nil {
			found[b.key] = states[i]
		}
	}
	if ctx.Err() == nil { // else it is no answer for others
		w.last, w.at = found, time.Now()
	}
	return found
}

func migrationsOf(ctx context.Context, files fs.FS, b *Bind) *migrationsState {
	s := &migrationsState{Pending: []string{}, Doubted: []string{}}
	migrations, err := MigrationsFrom(files, b)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	status, err := b.Migrator(migrations).Status(ctx)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	for _, one := range status.Migrations {
		switch {
		case one.Doubted:
			s.Doubted = append(s.Doubted, one.Name)
		case one.Applied:
			s.Applied++
			s.Latest = one.Name
		default:
			s.Pending = append(s.Pending, one.Name)
		}
	}
	return s
}
