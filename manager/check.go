package manager

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun/dialect"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/router"
)

// checkTimeout bounds what [DBManager.Check] asks of one server.
const checkTimeout = 3 * time.Second

// Check asks every server of every bind how it is, all at once, and says which tables and columns of models are
// missing, by the writer of their bind, and which columns cannot hold their fields. It compares columns by what Bun makes of
// the type of a field: only what no value survives is wrong ([BindReport.Columns]); what some values may not survive, columns that an
// INSERT of the model would have to name, and what a reader does not show yet are [BindReport.Warnings]. It does not compare
// indexes, constraints, lengths, defaults and collations, nor fields whose type reads or writes itself. A server that is down or hangs costs 3 seconds at most, less if ctx
// ends before, and delays nobody else's answer. Connections of the pools are used for models alone.
//
//	if err := m.Check(ctx).Err(); err != nil { // not ready
//
// It never fails itself: what went wrong is in the [Report].
func (m *DBManager) Check(ctx context.Context, models ...any) *Report {
	r := &Report{At: time.Now()}
	if m.closed.Load() {
		r.Errs = []error{ErrClosed}
		return r
	}
	groups, errs := m.groupModels(models)
	r.Errs = errs
	list := m.book.Load().binds
	r.Binds = make([]BindReport, len(list))
	var wg sync.WaitGroup
	for i, b := range list {
		group := &bindModels{bind: b}
		for _, g := range groups {
			if g.bind == b {
				group = g
			}
		}
		wg.Go(func() { r.Binds[i] = checkBind(ctx, group) })
	}
	wg.Wait()
	return r
}

// checkBind asks the servers of a bind, and then its writer for the tables.
func checkBind(ctx context.Context, g *bindModels) BindReport {
	b := g.bind
	engines := b.engines()
	r := BindReport{Bind: b.key, Driver: b.writer.Driver().Name(), Engines: make([]EngineReport, len(engines))}
	var health []router.Health
	var wg sync.WaitGroup
	for i, e := range engines {
		wg.Go(func() {
			r.Engines[i] = checkEngine(ctx, b.dialect.Name(), e)
			r.Engines[i].Warnings = b.warned[e]
		})
	}
	several := false
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		several = b.router.WriterLeadsToSeveral(ctx)
		health = b.router.Health(ctx)
	})
	wg.Wait()
	writer := &r.Engines[0]
	if several && writer.Advice == "" {
		writer.Advice = "its address leads to several servers, and this process keeps to one of them: give the primary's own address"
	}
	for i := range health {
		r.Engines[i+1].addHealth(&health[i], writer, b.maxLag)
	}
	for i := range r.Engines {
		r.Engines[i].judge(&writer.probe)
	}
	r.judge(b.onlyReaders)
	r.checkTables(ctx, g)
	return r
}

// checkEngine asks one server.
func checkEngine(ctx context.Context, kind dialect.Name, e *binds.Engine) EngineReport {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	r := EngineReport{Engine: e.Name(), Role: e.Role()}
	err := r.ask(ctx, kind, e)
	if err != nil && ctx.Err() == nil {
		err = r.ask(ctx, kind, e) // the connection kept for probes was made before a restart, perhaps
	}
	var connect *binds.ConnectError
	if err != nil && !errors.As(err, &connect) {
		err = &binds.ConnectError{Engine: e.Name(), Err: err}
	}
	r.Err = err
	return r
}

// versionQueries give the server's version and whether the session may only read, "" where a probe
// tells.
var versionQueries = map[dialect.Name]string{
	dialect.PG:     "SELECT current_setting('server_version'), current_setting('transaction_read_only')",
	dialect.MySQL:  "SELECT VERSION(), ''",
	dialect.SQLite: "SELECT sqlite_version(), ''",
}

func (r *EngineReport) ask(ctx context.Context, kind dialect.Name, e *binds.Engine) error {
	query, ok := versionQueries[kind]
	if !ok {
		query = "SELECT '', ''"
	}
	row, err := e.Ask(ctx, query)
	if err != nil {
		return err
	}
	if len(row) == 2 {
		r.Version, _, _ = strings.Cut(row[0], " ")
		r.readOnly = row[1] == "on"
	}
	r.probe, err = e.Probe(ctx)
	if errors.Is(err, binds.ErrNoPosition) {
		r.probe = binds.Probe{}
		return nil
	}
	if err != nil {
		return err
	}
	r.State, r.Doubt, r.Advice, r.Pooler = Replica, r.probe.Doubt, r.probe.Advice, r.probe.Pooler
	switch {
	case r.probe.Peer:
		r.State = Node
	case r.probe.Primary:
		r.State = Primary
	}
	r.Freshness = Proved
	if r.Doubt != nil {
		r.Freshness = Unproved
	}
	return nil
}

// addHealth takes in what the bind's router knows of a reader.
func (r *EngineReport) addHealth(h *router.Health, writer *EngineReport, maxLag time.Duration) {
	r.Drained = h.Drained
	switch {
	case r.Err != nil:
		return
	case h.Shared:
		r.Freshness, writer.Freshness = Shared, Shared
	case h.Doubt != nil && r.Doubt == nil && writer.Err == nil:
		r.Freshness, r.Doubt = Unproved, h.Doubt
	}
	r.Serving, r.Lag, r.LagKnown, r.NotServing = h.Serving, h.Lag, h.LagKnown, whyNotServing(h, maxLag)
}

// judge finds out whether the server is what its role needs.
func (r *EngineReport) judge(writer *binds.Probe) {
	reason := ""
	differs := r.probe.View.Differs(writer.View)
	switch {
	case r.Err != nil || r.State == "":
	case r.State == Node:
		reason = r.judgeNode(writer)
	case r.Role == binds.Writer && r.State != Primary:
		reason = "its server is a replica, or refuses writes: give the primary's address as writer"
	case r.Role == binds.Writer && r.readOnly:
		reason = "its sessions may only read: default_transaction_read_only is on for the server, the database or the login"
	case r.Role == binds.Reader && r.State == Primary && r.probe.Server == writer.Server:
		reason = "its server is the writer's own: give a replica's address, or no reader"
	case r.Role == binds.Reader && r.State == Primary:
		reason = "its server accepts writes: it was promoted, is no replica, or lacks read_only: give a replica's address"
	}
	if reason == "" && r.Err == nil && r.State != "" && differs != nil {
		reason = (&router.OtherViewError{Differences: differs}).Error()
	}
	if reason != "" {
		r.RoleErr = &RoleError{Engine: r.Engine, Role: r.Role, Reason: reason}
	}
}

// judgeNode is judge for a Galera node: any will do as a reader, if it belongs to the writer's cluster.
func (r *EngineReport) judgeNode(writer *binds.Probe) string {
	switch {
	case r.Role == binds.Writer && !r.probe.Primary:
		return "its node refuses writes: turn read_only off, or give another node as writer"
	case r.Role == binds.Writer, writer.Server == "":
	case r.probe.Server == writer.Server:
		return "its node is the writer's own: give another one, or no reader"
	case r.probe.History != writer.History:
		return "its node belongs to another Galera cluster than the writer (wsrep_cluster_state_uuid): give a node of the writer's"
	}
	return ""
}

// checkTables asks the writer which of the models' tables are missing, and all servers whether the others fit.
func (r *BindReport) checkTables(ctx context.Context, g *bindModels) {
	if len(g.types) == 0 || r.Engines[0].Err != nil {
		return // that the writer cannot be asked is told by its engine
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	models, errs := g.readModels()
	s := &tableSet{bind: g.bind, db: g.bind.Writer(), tables: models}
	found, err := s.look(ctx)
	if err != nil {
		errs = append(errs, &TableError{Bind: r.Bind, Err: err})
		models = nil
	}
	var there []*tableModel
	for _, t := range models {
		if found[t.written] == nil {
			r.Missing = append(r.Missing, MissingTableError{Bind: r.Bind, Model: t.typ, Table: t.table.Name})
			continue
		}
		there = append(there, t)
	}
	r.Errs = errs
	r.checkSchema(ctx, g, there)
}
