package manager

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/bindery-go/bindery/binds"
)

// A Report is what [DBManager.Check] found. It prints as a table and marshals to JSON, without
// passwords.
type Report struct {
	At    time.Time    // when the check began
	Binds []BindReport // in the order of the configuration; none of a closed manager
	Errs  []error      // what belongs to no bind: ErrClosed, models whose bind is unknown
}

// BindReport is one bind's part of a [Report].
type BindReport struct {
	Bind    binds.Key
	Driver  string // the kind of database: "PostgreSQL"
	Engines []EngineReport
	// Writes and Reads say what the bind can serve now: its writer accepts writes; a reader serves plain reads, or the writer may.
	Writes, Reads bool
	// Missing are the given models' tables that the writer does not have. It is empty too where the
	// writer cannot be asked, which its engine's Err says.
	Missing []MissingTableError
	// Columns are those of the given models' tables that are missing, or that hold no value of their field, as the writer shows
	// them. They belong to Err and Ready, as Missing does.
	Columns []SchemaError
	// Warnings are columns that may not hold every value of their field, columns that an INSERT of a model would have to name, and
	// tables and columns that a reader does not show, though the writer has them. They belong to neither Err nor Ready.
	Warnings []SchemaError
	Errs     []error // models that no query can use, and tables that could not be looked for
}

// EngineReport is one engine's part of a [Report]: the writer's first, then the readers' in the order
// of the configuration.
type EngineReport struct {
	Engine string // "accounts/reader-1"
	Role   binds.Role
	// Err is why the server did not answer, nil if it did. Its kind is [*binds.ConnectError]. What
	// follows is known only of servers that answered.
	Err     error
	Version string // as the server tells it: "15.18"
	// State is what the server says it is, "" if its driver cannot tell.
	State State
	// RoleErr says that the server is not what its role needs: a writer that is a replica or read-only,
	// a reader that accepts writes. Its kind is [*RoleError].
	RoleErr error
	// Freshness says whether the server's position proves what it shows.
	Freshness Freshness
	Doubt     error  // why it proves nothing, and which grant or setting would change that
	Advice    string // which grant or setting would let the server prove more; "" if none would
	// Warnings say what is unsafe in how the engine is opened, and what cures it: a server elsewhere that nothing proves, files with secrets
	// that others can read. They were logged when it was opened. They belong to neither Err nor Ready.
	Warnings []string
	// Pooler names the pooler between this process and the server, and what it pools; "" if none is known of.
	Pooler string
	// Serving says that plain reads may go to this reader now, and NotServing why not; "" of a writer, and of a server that
	// did not answer.
	Serving    bool
	NotServing string
	// Drained says that the reader was taken out of service, see [DBManager.Drain].
	Drained bool
	// Lag is how far this reader trails, as router.Health tells it: no server's clock is asked. It
	// means nothing unless LagKnown is set.
	Lag      time.Duration
	LagKnown bool

	probe    binds.Probe
	readOnly bool // the server's sessions begin so
}

// State is what a server is.
type State string

// The states of a server.
const (
	Primary State = "primary" // it accepts writes
	Replica State = "replica"
	Node    State = "node" // one of equals that all accept writes: Galera
)

// Freshness says how it is known what a server shows.
type Freshness string

// The ways to know what a server shows.
const (
	Proved   Freshness = "proved"   // by its position in the primary's log; of a Galera node, by wsrep_sync_wait
	Unproved Freshness = "unproved" // not: the engine's Doubt says why
	Shared   Freshness = "shared"   // writer and readers share the data: SQLite
)

// Err returns what is wrong, joined, nil if nothing is: servers that do not answer, readers too, servers
// whose role is wrong, tables and columns that are missing or hold no value of their field, models that no query can use. A replica that cannot
// prove its freshness, or lags, is not wrong: its reads go elsewhere. For a readiness probe see [Report.Ready].
func (r Report) Err() error {
	errs := append([]error(nil), r.Errs...)
	for i := range r.Binds {
		errs = append(errs, r.Binds[i].Err())
	}
	return errors.Join(errs...)
}

// Err returns what is wrong with the bind, see [Report.Err].
func (r BindReport) Err() error {
	var errs []error
	for i := range r.Engines {
		errs = append(errs, r.Engines[i].Err, r.Engines[i].RoleErr)
	}
	errs = append(errs, r.Errs...)
	for i := range r.Missing {
		errs = append(errs, &r.Missing[i])
	}
	for i := range r.Columns {
		errs = append(errs, &r.Columns[i])
	}
	return errors.Join(errs...)
}

type reportJSON struct {
	At     time.Time    `json:"at"`
	OK     bool         `json:"ok"`
	Ready  bool         `json:"ready"`
	Binds  []BindReport `json:"binds"`
	Errors []string     `json:"errors"`
}

type bindReportJSON struct {
	Bind     string         `json:"bind"`
	Driver   string         `json:"driver"`
	OK       bool           `json:"ok"`
	Ready    bool           `json:"ready"`
	Writes   bool           `json:"writes"`
	Reads    bool           `json:"reads"`
	Engines  []EngineReport `json:"engines"`
	Missing  []missingJSON  `json:"missing_tables"`
	Columns  []columnJSON   `json:"columns"`
	Warnings []columnJSON   `json:"warnings"`
	Errors   []string       `json:"errors"`
}

type columnJSON struct {
	Engine string `json:"engine"`
	Table  string `json:"table"`
	Column string `json:"column,omitempty"`
	Model  string `json:"model"`
	Reason string `json:"reason"`
}

func columnsJSON(errs []SchemaError) []columnJSON {
	list := []columnJSON{}
	for _, e := range errs {
		list = append(list, columnJSON{e.Engine, e.Table, e.Column, e.Model.String(), e.Reason})
	}
	return list
}

type missingJSON struct {
	Table string `json:"table"`
	Model string `json:"model"`
}

type engineReportJSON struct {
	Engine     string    `json:"engine"`
	Role       string    `json:"role"`
	Reachable  bool      `json:"reachable"`
	Error      string    `json:"error,omitempty"`
	Version    string    `json:"version,omitempty"`
	State      State     `json:"state,omitempty"`
	RoleError  string    `json:"role_error,omitempty"`
	Freshness  Freshness `json:"freshness,omitempty"`
	Doubt      string    `json:"doubt,omitempty"`
	Advice     string    `json:"advice,omitempty"`
	Warnings   []string  `json:"warnings,omitempty"`
	Pooler     string    `json:"pooler,omitempty"`
	Serving    *bool     `json:"serving,omitempty"` // of readers
	Drained    bool      `json:"drained,omitempty"`
	NotServing string    `json:"not_serving,omitempty"` // why
	LagSeconds *float64  `json:"lag_seconds,omitempty"` // of readers whose lag is known
}

// MarshalJSON returns the report with the keys at, ok, ready, binds and errors. The texts of errors have servers' addresses and logins: for a
// page that anybody can ask for there is [Report.Public].
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(reportJSON{At: r.At, OK: r.Err() == nil, Ready: r.Ready() == nil, Binds: append([]BindReport{}, r.Binds...), Errors: texts(r.Errs)})
}

// MarshalJSON returns the bind's report with the keys bind, driver, ok, ready, writes, reads, engines, missing_tables,
// columns, warnings and errors.
func (r BindReport) MarshalJSON() ([]byte, error) {
	out := bindReportJSON{
		Bind: r.Bind.String(), Driver: r.Driver, OK: r.Err() == nil, Ready: r.Ready() == nil, Writes: r.Writes, Reads: r.Reads,
		Engines: r.Engines, Missing: []missingJSON{},
		Columns: columnsJSON(r.Columns), Warnings: columnsJSON(r.Warnings), Errors: texts(r.Errs),
	}
	for _, t := range r.Missing {
		out.Missing = append(out.Missing, missingJSON{t.Table, t.Model.String()})
	}
	return json.Marshal(out)
}

// MarshalJSON returns the engine's report with the keys engine, role, reachable, error, version, state,
// role_error, freshness, doubt, advice, warnings, pooler, serving, drained, not_serving and lag_seconds, those left out that are unknown.
func (r EngineReport) MarshalJSON() ([]byte, error) {
	out := engineReportJSON{
		Engine: r.Engine, Role: r.Role.String(), Reachable: r.Err == nil, Error: text(r.Err), Version: r.Version,
		State: r.State, RoleError: text(r.RoleErr), Freshness: r.Freshness, Doubt: text(r.Doubt), Advice: r.Advice, Warnings: r.Warnings, Pooler: r.Pooler, NotServing: r.NotServing, Drained: r.Drained,
	}
	if r.Role == binds.Reader {
		out.Serving = &r.Serving
	}
	if r.LagKnown {
		lag := r.Lag.Seconds()
		out.LagSeconds = &lag
	}
	return json.Marshal(out)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func texts(errs []error) []string {
	list := []string{}
	for _, err := range errs {
		list = append(list, err.Error())
	}
	return list
}
