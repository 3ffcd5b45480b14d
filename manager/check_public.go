package manager

import (
	"time"

	"github.com/bindery-go/bindery/binds"
)

// PublicReport is what anybody may know of a [Report]: which binds work, and how their servers are. It has no text of an error, no address,
// login, version, product, pooler, setting, table or column: those help who attacks, and whoever mends reads the log, or the
// Report itself. It names binds and engines, as the configuration calls them. It marshals to JSON.
type PublicReport struct {
	At    time.Time    `json:"at"`
	OK    bool         `json:"ok"`    // nothing is wrong, see [Report.Err]
	Ready bool         `json:"ready"` // all binds can do their work, see [Report.Ready]
	Binds []PublicBind `json:"binds"` // never nil
}

// PublicBind is one bind's part of a [PublicReport].
type PublicBind struct {
	Bind    string         `json:"bind"`
	OK      bool           `json:"ok"`
	Ready   bool           `json:"ready"`
	Writes  bool           `json:"writes"`
	Reads   bool           `json:"reads"`
	Engines []PublicEngine `json:"engines"`
	// Missing, Columns, Warnings and Errors say how many there are in the [BindReport].
	Missing  int `json:"missing_tables"`
	Columns  int `json:"columns"`
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
}

// PublicEngine is one engine's part of a [PublicReport].
type PublicEngine struct {
	Engine    string    `json:"engine"` // "accounts/reader-1"
	Role      string    `json:"role"`   // "writer", "reader"
	Status    Status    `json:"status"`
	Freshness Freshness `json:"freshness,omitempty"`
	// LagSeconds is how far a reader trails, nil where that is not known, and of a writer.
	LagSeconds *float64 `json:"lag_seconds,omitempty"`
}

// Status says in a word how an engine is.
type Status string

// The statuses of an engine.
const (
	StatusOK         Status = "ok"
	StatusDown       Status = "down"        // its server does not answer
	StatusWrongRole  Status = "wrong role"  // its server is not what its role needs
	StatusNotServing Status = "not serving" // a reader that no plain reads go to now
	StatusDrained    Status = "drained"     // a reader that was taken out of service
)

// Status says in a word how the engine is.
func (r *EngineReport) Status() Status {
	switch {
	case r.Err != nil:
		return StatusDown
	case r.RoleErr != nil:
		return StatusWrongRole
	case r.Drained:
		return StatusDrained
	case r.Role == binds.Reader && !r.Serving:
		return StatusNotServing
	}
	return StatusOK
}

// Public returns what of the report a page may show that anybody can ask for. The report itself names servers' addresses, logins and
// versions, and quotes what they answered: it is for a log, and for pages behind a login.
func (r Report) Public() PublicReport {
	p := PublicReport{At: r.At, OK: r.Err() == nil, Ready: r.Ready() == nil, Binds: make([]PublicBind, len(r.Binds))}
	for i := range r.Binds {
		p.Binds[i] = r.Binds[i].public()
	}
	return p
}

func (r *BindReport) public() PublicBind {
	p := PublicBind{
		Bind: r.Bind.String(), OK: r.Err() == nil, Ready: r.Ready() == nil, Writes: r.Writes, Reads: r.Reads, Engines: make([]PublicEngine, len(r.Engines)),
		Missing: len(r.Missing), Columns: len(r.Columns), Warnings: len(r.Warnings), Errors: len(r.Errs),
	}
	for i := range r.Engines {
		e := &r.Engines[i]
		p.Engines[i] = PublicEngine{Engine: e.Engine, Role: e.Role.String(), Status: e.Status(), Freshness: e.Freshness}
		if e.LagKnown {
			lag := e.Lag.Seconds()
			p.Engines[i].LagSeconds = &lag
		}
	}
	return p
}
