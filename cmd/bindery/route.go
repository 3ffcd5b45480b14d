package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
	"github.com/bindery-go/bindery/router/sqlkind"
)

func (a *app) routeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "route SQL",
		Short: "Say where a statement would run, and why",
		Long: `route says what a statement is taken for, which word makes it so, and which engine would serve it now, for a program without a session that has written
nothing. It decides as programs do, asks the servers how they are, and never runs the statement. "-" reads it from standard input.

Without --bind it is the default bind's. It exits with 1 where no server would take the statement. It gives up after 15s (--timeout).`,
		Example: "  bindery route 'SELECT * FROM users WHERE id = 7'\n  bindery route --bind shop 'SELECT * FROM seats FOR UPDATE'\n  bindery route - <report.sql",
		Args:    cobra.ExactArgs(1),
		RunE:    a.doing(15*time.Second, a.route),
	}
	a.takesBinds(cmd, "else the default one")
	return cmd
}

// A routing is the answer for one bind.
type routing struct {
	Bind      string         `json:"bind"`
	Statement string         `json:"statement"` // without values
	Kind      string         `json:"kind"`
	Because   *sqlkind.Cause `json:"because,omitempty"` // of what is no plain read
	Engine    string         `json:"engine,omitempty"`  // "": nobody
	Role      string         `json:"role,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Error     string         `json:"error,omitempty"` // what the statement would fail with
	Notes     []string       `json:"notes,omitempty"` // of servers
	means     string
}

func (a *app) route(ctx context.Context, args []string) (err error) {
	query := args[0]
	if query == "-" {
		text, err := io.ReadAll(io.LimitReader(a.in, 1<<20))
		if err != nil {
			return fmt.Errorf("read the statement: %w", err)
		}
		query = string(text)
	}
	if strings.TrimSpace(query) == "" {
		return usagef("the statement is empty")
	}
	if len(a.binds) == 0 {
		cfg, err := a.load()
		if err != nil {
			return err
		}
		key := cfg.Default
		if key == "" {
			key = cfg.Binds[0].Key
		}
		a.binds = []string{key.String()}
	}
	m, meant, err := a.open(ctx, false)
	if err != nil {
		return err
	}
	defer closing(m, &err)
	report := m.Check(ctx) // which wakes the routers, too
	failed := false
	for i, b := range meant {
		r := routeOn(ctx, b, &report.Binds[i], query)
		failed = failed || r.Error != ""
		if a.json {
			err = a.writeJSON(r)
		} else {
			err = a.showRouting(r, i > 0)
		}
		if err != nil {
			return err
		}
	}
	if failed {
		return &failure{code: exitFailed}
	}
	return nil
}

func routeOn(ctx context.Context, b *manager.Bind, report *manager.BindReport, query string) *routing {
	why := b.Router().Why(query)
	r := &routing{Bind: b.String(), Kind: sqlkind.Read.String(), Statement: sqlkind.Outline(b.Dialect().Name(), query, router.MaxDecisionQuery)}
	if why != (sqlkind.Cause{}) {
		r.Because = &why
	}
	d, err := b.Router().Decide(ctx, query)
	if err != nil {
		r.Error = err.Error()
		r.note(report, func(*manager.EngineReport) bool { return true })
		return r
	}
	r.Kind, r.Engine, r.Role, r.Reason, r.means = d.Kind.String(), d.Engine, d.Role.String(), d.Reason.String(), meanings[d.Reason]
	fell := d.Reason == router.ReadersDown || d.Reason == router.ReadersBehind
	r.note(report, func(e *manager.EngineReport) bool { return e.Engine == d.Engine || fell && e.Role == binds.Reader })
	if writer := &report.Engines[0]; d.Engine == writer.Engine && writer.Err != nil {
		r.Error = "the writer does not answer"
	}
	return r
}

// note tells what is wrong with the engines that matter.
func (r *routing) note(report *manager.BindReport, matters func(*manager.EngineReport) bool) {
	for i := range report.Engines {
		e := &report.Engines[i]
		if !matters(e) {
			continue
		}
		switch {
		case e.Err != nil:
			r.Notes = append(r.Notes, e.Err.Error())
		case e.RoleErr != nil:
			r.Notes = append(r.Notes, e.RoleErr.Error())
		case e.NotServing != "":
			r.Notes = append(r.Notes, e.Engine+" does not serve: "+e.NotServing)
		}
	}
}

// meanings say what the reasons of a decision mean here.
var meanings = map[router.Reason]string{
	router.PlainRead:     "a plain read, on the reader that the policy picked; another one may serve the next",
	router.WriteText:     "it writes, locks, or is not known to be harmless",
	router.LocalState:    "each server answers it for itself, and the writer's answer is meant",
	router.NoReader:      "the bind has no readers: the writer serves its reads",
	router.ReadersDown:   "no reader can be reached: the writer serves its reads",
	router.ReadersBehind: "readers are up, none is known to be fresh enough: the writer serves",
	router.ReaderRefused: "a reader refused it as a write",
}

func (a *app) showRouting(r *routing, more bool) error {
	rows := [][]string{{"bind", r.Bind}, {"statement", r.Statement}, {"kind", r.Kind}}
	if r.Because != nil {
		rows = append(rows, []string{"because", r.Because.String()})
	}
	if r.Engine != "" {
		text := r.Engine
		if r.means != "" {
			text += ": " + r.means
		}
		rows = append(rows, []string{"runs on", text}, []string{"reason", r.Reason})
	}
	for _, note := range r.Notes {
		rows = append(rows, []string{"note", strings.ReplaceAll(note, "\n", "; ")})
	}
	if more {
		if _, err := fmt.Fprintln(a.out); err != nil {
			return err
		}
	}
	err := writeTable(a.out, rows)
	if r.Error != "" {
		a.tell(errors.New(r.Error))
	}
	return err
}
